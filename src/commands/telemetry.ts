/** Anonymous telemetry of a run, for those who have asked for it. */
import { randomUUID } from 'node:crypto';
import type { SupportedOutput } from '../config/supported.ts';
import type { Log } from '../effects/log.ts';
import type { World } from '../effects/world.ts';
import { asMachineIdError } from '../errors.ts';
import { send, type Sending } from '../telemetry/send.ts';
import { HELPER, startEvent } from '../telemetry/start-event.ts';
import { telemetryIsOn, telemetryUrl } from '../telemetry/switch.ts';
import { webTrust } from '../teleport/trust.ts';
import type { WireTrace } from '../teleport/wire-trace.ts';
import { VERSION } from '../effects/version.ts';

const MAX_CA_BYTES = 1024 * 1024;

const NOTHING: Sending = { end: () => undefined };

/** Never rejects. Logs nothing when telemetry is off. */
export async function beginTelemetry(
  world: Pick<World, 'clock' | 'environment' | 'files' | 'nodeVersion'>,
  outputs: readonly SupportedOutput[],
  log: Log,
  trace?: WireTrace,
): Promise<Sending> {
  const { clock, environment, files } = world;
  if (!telemetryIsOn(environment)) return NOTHING;
  const url = telemetryUrl(environment);
  if (url === undefined) {
    log.warn('TELEPORT_ANONYMOUS_TELEMETRY_ADDRESS is not an http(s) URL; telemetry is disabled');
    return NOTHING;
  }
  log.info(`anonymous telemetry is on: one event goes to ${url.host}`);
  const event = startEvent({
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
      trace,
      onSettled: (fault) => {
        log.debug(fault === undefined ? 'telemetry has arrived' : `telemetry was not taken: ${fault}`);
      },
    });
  } catch (error) {
    log.debug(`telemetry is not sent: ${asMachineIdError(error).message}`);
    return NOTHING;
  }
}

/** With these, tbot's own events tell who has started it. */
export const TBOT_HELPER_VARIABLES = {
  _TBOT_TELEMETRY_HELPER: HELPER,
  _TBOT_TELEMETRY_HELPER_VERSION: VERSION,
} as const;
