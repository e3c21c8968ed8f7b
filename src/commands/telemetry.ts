/** Anonymous telemetry of a run, for users who enable it. */
import { randomUUID } from 'node:crypto';
import type { Log } from '../effects/log.ts';
import { USER_AGENT, VERSION, type World } from '../effects/world.ts';
import { asMachineIdError } from '../errors.ts';
import { openHttps } from '../net/agent.ts';
import type { Network } from '../net/network.ts';
import { describeError } from '../net/network-error.ts';
import type { WireTrace } from '../net/trace.ts';
import { trustOptions, webTrust } from '../net/trust.ts';
import type { SupportedOutput } from '../outputs/outputs.ts';

const MAX_CA_BYTES = 1024 * 1024;

const NOTHING: PendingSend = { end: () => undefined };

interface TelemetryOptions {
  readonly world: Pick<World, 'clock' | 'environment' | 'files' | 'nodeVersion'>;
  readonly network: Network;
  readonly outputs: readonly SupportedOutput[];
  readonly joinMethod: string;
  readonly log: Log;
  readonly trace?: WireTrace | undefined;
}

/** Never rejects. Logs nothing when telemetry is off. */
export async function beginTelemetry({
  joinMethod,
  log,
  network,
  outputs,
  trace,
  world,
}: TelemetryOptions): Promise<PendingSend> {
  const { clock, environment, files } = world;
  if (!telemetryIsOn(environment)) return NOTHING;
  const url = telemetryUrl(environment);
  if (url === undefined) {
    log.warn('TELEPORT_ANONYMOUS_TELEMETRY_ADDRESS is not an http(s) URL; telemetry is disabled');
    return NOTHING;
  }
  log.info(`anonymous telemetry is enabled: sending one event to ${url.host}`);
  const event = startEvent({
    joinMethod,
    outputTypes: outputs.map(({ type }) => type),
    version: VERSION,
    eventId: randomUUID(),
    startedMs: clock.nowMs(),
  });
  try {
    const readText = (path: string) => files.readText(path, { maxBytes: MAX_CA_BYTES });
    const { ca } = await webTrust({ ...world, caFile: undefined, insecure: false, readText });
    return send(url, event, {
      ca,
      network,
      trace,
      onSettled: (problem) => {
        log.debug(problem === undefined ? 'telemetry event accepted' : `telemetry event not accepted: ${problem}`);
      },
    });
  } catch (error) {
    log.debug(`telemetry event not sent: ${asMachineIdError(error).message}`);
    return NOTHING;
  }
}

// Whether telemetry is enabled, and the URL that receives it (protocol reference 8).

type Environment = Readonly<Record<string, string | undefined>>;

/** What Go's `strconv.ParseBool` reads as true. */
const TRUE = ['1', 't', 'T', 'TRUE', 'true', 'True'];

const ADDRESS = 'https://reporting-tbot.teleportinfra.sh';

export function telemetryIsOn(environment: Environment): boolean {
  return TRUE.includes(environment.TELEPORT_ANONYMOUS_TELEMETRY ?? '');
}

/** @returns undefined when the variable does not contain an http(s) URL */
export function telemetryUrl(environment: Environment): URL | undefined {
  const base = environment.TELEPORT_ANONYMOUS_TELEMETRY_ADDRESS ?? '';
  const text = `${(base === '' ? ADDRESS : base).replace(/\/+$/, '')}/prehog.v1alpha.TbotReportingService/SubmitTbotEvent`;
  if (!URL.canParse(text)) return undefined;
  const url = new URL(text);
  return ['http:', 'https:'].includes(url.protocol) ? url : undefined;
}

// The event that a run has started, for Teleport's vendor (protocol reference 8).

interface StartFacts {
  readonly joinMethod: string;
  /** Types of the outputs, as `tbot.yaml` names them. */
  readonly outputTypes: readonly string[];
  /** Of this program. */
  readonly version: string;
  /** Random, and used once. */
  readonly eventId: string;
  /** Milliseconds since the Unix epoch. */
  readonly startedMs: number;
}

/** Distinguishes the events of this program from those of tbot. */
const HELPER = 'circleci-orb:teleport/machine-id';

/** `TbotStartEvent.RunMode`: RUN_MODE_ONE_SHOT. */
const ONE_SHOT = 1;

/** A `SubmitTbotEventRequest` in protobuf's JSON form. Nothing else is ever sent. */
interface StartEvent {
  readonly distinctId: string;
  readonly timestamp: string;
  readonly start: {
    readonly runMode: number;
    readonly version: string;
    readonly joinType: string;
    readonly helper: string;
    readonly helperVersion: string;
    readonly destinationsOther: number;
    readonly destinationsDatabase: number;
    readonly destinationsKubernetes: number;
    readonly destinationsApplication: number;
  };
}

export function startEvent({ eventId, joinMethod, outputTypes, startedMs, version }: StartFacts): StartEvent {
  const count = (...types: readonly string[]) => outputTypes.filter((type) => types.includes(type)).length;
  const database = count('database');
  const application = count('application');
  // tbot counts `kubernetes/v2` as other.
  const kubernetes = count('kubernetes');
  return {
    distinctId: eventId,
    timestamp: new Date(startedMs).toISOString(),
    start: {
      runMode: ONE_SHOT,
      version,
      joinType: joinMethod,
      helper: HELPER,
      helperVersion: version,
      destinationsOther: outputTypes.length - database - kubernetes - application,
      destinationsDatabase: database,
      destinationsKubernetes: kubernetes,
      destinationsApplication: application,
    },
  };
}

/** With these variables, the events of tbot name this program as the one that started it. */
export const TBOT_HELPER_VARIABLES = {
  _TBOT_TELEMETRY_HELPER: HELPER,
  _TBOT_TELEMETRY_HELPER_VERSION: VERSION,
} as const;

// Sends the event in parallel with the run, which it neither delays nor fails.

interface PendingSend {
  /** Cancels the request if it has no response yet. */
  end(): void;
}

interface SendSettings {
  /** PEM of the only trusted authorities, or undefined for Node's own list. */
  readonly ca: string | undefined;
  readonly network: Network;
  readonly trace?: WireTrace | undefined;
  /** Called once, unless `end` was called before; `problem` is undefined when the event was accepted. */
  readonly onSettled: (problem: string | undefined) => void;
}

const MAX_RESPONSE_BYTES = 16 * 1024;

/** A unary call of the Connect protocol, version 1, with protobuf's JSON form. */
function send(url: URL, event: unknown, { ca, network, onSettled, trace }: SendSettings): PendingSend {
  const ended = new AbortController();
  const { signal } = ended;
  void post().then(
    (status) => {
      settle(status === 200 ? undefined : `HTTP status ${status}`);
    },
    (error: unknown) => {
      settle(describeError(error));
    },
  );
  return {
    end: () => {
      ended.abort();
    },
  };

  async function post(): Promise<number> {
    const client = openHttps({ ...trustOptions(ca), network, to: 'telemetry', for: 'https', trace });
    const end = client.begin('POST', url);
    const response = await client.send(url, {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'connect-protocol-version': '1', 'user-agent': USER_AGENT },
      body: JSON.stringify(event),
      redirect: 'manual',
      signal,
      size: MAX_RESPONSE_BYTES,
    });
    await response.arrayBuffer();
    end(response.status);
    return response.status;
  }

  function settle(problem: string | undefined): void {
    if (!signal.aborted) onSettled(problem);
  }
}
