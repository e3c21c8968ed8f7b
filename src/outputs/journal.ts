/** The journal of a run: each step and fact goes in once, and comes out as log lines, timings, spans and the report. */
import type { Log } from '../effects/log.ts';
import type { Clock } from '../effects/time.ts';
import type { OidcClaims } from '../job/oidc-claims.ts';
import type { TokenRequest } from '../job/token-request.ts';
import type { Address } from '../net/address.ts';
import type { AnyOutput } from './output.ts';
import type { RunResult, Span, WrittenOutput } from './result.ts';

/** What is written to the journal goes to its log as well. */
export interface Journal extends Log {
  /**
   * Runs the work as a span of the run, which has failed when the work rejects.
   * @param describe what is noted when the work is done: facts, and the line that says so
   */
  step<T>(step: StepName, work: () => Promise<T>, describe?: (result: T) => StepNote): Promise<T>;
  /** As `step`, for one output. */
  outputStep<T>(label: string, work: () => Promise<T>): Promise<T>;
  /** The end of a part of an output. The line is for `--debug`: the summary has a line for each output. */
  outputDone(part: OutputPart, message: string): void;
  /** Adds facts; what is noted again replaces what was known. */
  note(facts: Partial<RunFacts>): void;
  facts(): Partial<RunFacts>;
  /** In the order in which they began. */
  spans(): readonly Span[];
  /** Milliseconds from the start of the run to the end of each step, and `total` until now. Steps may overlap. */
  timingsMs(): RunResult['timingsMs'];
  totalMs(): number;
}

interface StepNote {
  readonly facts?: Partial<RunFacts>;
  /** Logged, with the time since the start of the run. */
  readonly message?: string;
}

/** By the name of the step: how its span is called, and the key of its end in `timingsMs`, if it has a message. */
const STEPS = {
  configuration: { kind: 'job', name: 'Configuration', timing: 'config' },
  oidcToken: { kind: 'job', name: 'OIDC token', timing: 'oidcToken' },
  destinations: { kind: 'job', name: 'Destinations', timing: 'destinations' },
  discovery: { kind: 'cluster', name: 'Discovery', timing: 'discovery' },
  join: { kind: 'cluster', name: 'Join', timing: 'join' },
  keys: { kind: 'job', name: 'Keys', timing: 'keys' },
  session: { kind: 'cluster', name: 'Auth Service', timing: 'auth' },
  tbot: { kind: 'cluster', name: 'tbot', timing: 'tbot' },
} as const;

type StepName = keyof typeof STEPS;
type OutputPart = 'certificates' | 'aws' | 'write';

/** @param openLog called again when the plan is noted, which says what is logged and how */
export function openJournal(clock: Pick<Clock, 'elapsedMs'>, openLog: (plan?: RunPlan) => Log): Journal {
  const startMs = clock.elapsedMs();
  const totalMs = () => Math.round(clock.elapsedMs() - startMs);
  const spans = openSpans(totalMs);
  const ends = new Map<string, number>();
  let log = openLog();
  let known: Partial<RunFacts> = {};
  const timed = (timing: string, message: string) => {
    const atMs = totalMs();
    ends.set(timing, atMs);
    return `[${String(atMs).padStart(5)} ms] ${message}`;
  };
  const note = (facts: Partial<RunFacts>) => {
    known = { ...known, ...facts };
    if (facts.plan !== undefined) log = openLog(facts.plan);
  };
  return {
    debug: (...args) => {
      log.debug(...args);
    },
    info: (...args) => {
      log.info(...args);
    },
    warn: (message) => {
      log.warn(message);
    },
    step: async (step, work, describe = () => ({})) => {
      const { timing, ...span } = STEPS[step];
      const result = await spans.during(span, work);
      const { facts = {}, message } = describe(result);
      note(facts);
      if (message !== undefined) log.info(timed(timing, message));
      return result;
    },
    outputStep: (name, work) => spans.during({ kind: 'output', name }, work),
    outputDone: (part, message) => {
      log.debug(timed(part, message));
    },
    note,
    facts: () => known,
    spans: spans.all,
    timingsMs: () => ({ ...Object.fromEntries(ends), total: totalMs() }),
    totalMs,
  };
}

type OpenSpan = Omit<Span, 'endMs'> & { readonly endMs: number | undefined };

function openSpans(nowMs: () => number) {
  const spans: OpenSpan[] = [];
  return {
    during: async <T>(part: Pick<Span, 'kind' | 'name'>, work: () => Promise<T>): Promise<T> => {
      const begun = { ...part, startMs: nowMs() };
      const at = spans.push({ ...begun, endMs: undefined, outcome: 'unfinished' }) - 1;
      const end = (outcome: Span['outcome']) => {
        spans[at] = { ...begun, endMs: nowMs(), outcome };
      };
      try {
        const result = await work();
        end('done');
        return result;
      } catch (error) {
        end('failed');
        throw error;
      }
    },
    all: (): readonly Span[] => spans.map((span) => ({ ...span, endMs: span.endMs ?? nowMs() })),
  };
}

/** What the outputs and the page about a run use of the configuration. */
export interface RunPlan {
  /** The address as configured; `value` is `host:port`. At one of the kind `auth` may be a Proxy too. */
  readonly address: Address & { readonly kind: 'proxy' | 'auth'; readonly value: string };
  readonly useProxyAddr: boolean;
  /** Whether any web certificate is accepted. */
  readonly insecure: boolean;
  readonly debug: boolean;
  readonly logFormat: 'text' | 'json';
  readonly tokenRequest: Pick<TokenRequest, 'joinMethod'>;
  /** Whether to report the job to the cluster. */
  readonly heartbeat: boolean;
}

/** An output as the configuration has it. */
export interface ConfiguredOutput extends AnyOutput {
  /** What its credentials are for, in the words of the configuration; `undefined` for the whole cluster. */
  readonly resource: string | undefined;
}

/** What there is to know, each fact as soon as it is known. */
export interface RunFacts {
  readonly plan: RunPlan;
  readonly claims: OidcClaims;
  readonly cluster: string;
  readonly clusterVersion: string;
  readonly bot: RunResult['bot'];
  readonly botInstanceId: RunResult['botInstanceId'];
  readonly joinPath: RunResult['joinPath'];
  readonly outputs: readonly ConfiguredOutput[];
  /** In the outputs' order. */
  readonly results: readonly PromiseSettledResult<WrittenOutput>[];
  readonly exported: readonly string[];
}
