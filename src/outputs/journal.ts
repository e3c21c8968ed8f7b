/** What a run has come to know and how long its parts took, told also when it fails half-way. */
import type { Clock } from '../effects/time.ts';
import type { Log } from '../effects/log.ts';
import type { MachineIdError } from '../errors.ts';
import type { OidcClaims } from '../job/oidc-claims.ts';
import type { JoinPath } from '../join/join.ts';
import type { Address } from '../net/address.ts';
import type { AnyOutput } from './output.ts';

/** Who is at work: this machine, the cluster that is asked, or an output with both. */
type SpanKind = 'job' | 'cluster' | 'output';

/** A part of a run, in whole milliseconds since the run's start; parts may overlap. */
export interface Span {
  readonly kind: SpanKind;
  readonly name: string;
  readonly startMs: number;
  readonly endMs: number;
  /** `unfinished` had not ended when the run did. */
  readonly outcome: 'done' | 'failed' | 'unfinished';
}

/** What the outputs and the page about a run use of the configuration. */
export interface RunPlan {
  /** The address as configured; `value` is `host:port`. */
  readonly address: Address & { readonly value: string };
  readonly useProxyAddr: boolean;
  readonly debug: boolean;
  readonly logFormat: 'text' | 'json';
}

/** An output as the configuration has it. */
export interface ConfiguredOutput extends AnyOutput {
  /** What its credentials are for, in the words of the configuration; `undefined` for the whole cluster. */
  readonly resource: string | undefined;
}

/** What there is to know, each as soon as it is known. */
export interface RunFacts {
  readonly plan: RunPlan;
  readonly claims: OidcClaims;
  readonly cluster: string;
  readonly clusterVersion: string;
  readonly bot: RunResult['bot'];
  readonly joinPath: RunResult['joinPath'];
  readonly outputs: readonly ConfiguredOutput[];
  /** In the outputs' order. */
  readonly results: readonly PromiseSettledResult<WrittenOutput>[];
  readonly exported: readonly string[];
}

export interface Account {
  /** By the clock's `elapsedMs`. */
  readonly startMs: number;
  learn(facts: Partial<RunFacts>): void;
  facts(): Partial<RunFacts>;
  /** Begins a span; the call of what it returns ends it. */
  begin(kind: SpanKind, name: string): () => void;
  /** A span that lasts as long as the work, and has failed when the work rejects. */
  during<T>(kind: SpanKind, name: string, work: () => Promise<T>): Promise<T>;
  /** In the order of their beginning. */
  spans(): readonly Span[];
  totalMs(): number;
}

type OpenSpan = Omit<Span, 'endMs'> & { readonly endMs: number | undefined };

export function openAccount(clock: Pick<Clock, 'elapsedMs'>): Account {
  const startMs = clock.elapsedMs();
  const totalMs = () => Math.round(clock.elapsedMs() - startMs);
  const spans: OpenSpan[] = [];
  let known: Partial<RunFacts> = {};
  const open = (kind: SpanKind, name: string) => {
    const at = spans.push({ kind, name, startMs: totalMs(), endMs: undefined, outcome: 'unfinished' }) - 1;
    return (outcome: Span['outcome']) => {
      const begun = spans[at];
      if (begun?.endMs === undefined && begun !== undefined) spans[at] = { ...begun, endMs: totalMs(), outcome };
    };
  };
  return {
    startMs,
    totalMs,
    learn: (facts) => {
      known = { ...known, ...facts };
    },
    facts: () => known,
    begin: (kind, name) => {
      const close = open(kind, name);
      return () => {
        close('done');
      };
    },
    during: async (kind, name, work) => {
      const close = open(kind, name);
      try {
        const result = await work();
        close('done');
        return result;
      } catch (error) {
        close('failed');
        throw error;
      }
    },
    spans: () => spans.map((span) => ({ ...span, endMs: span.endMs ?? totalMs() })),
  };
}

// Tells a person what was done and how long it took, as it happens.

/** The phases of a run, in the order in which they end. */
type Phase = 'config' | 'oidcToken' | 'discovery' | 'join' | 'auth' | 'certificates' | 'aws' | 'write';

/** The summary has one line for each output. */
const OUTPUT_PHASES: ReadonlySet<Phase> = new Set(['certificates', 'aws', 'write']);

export interface Progress {
  /** A phase has ended; `message` says with what. Phases may overlap, so each is timed from the run's start. */
  done(phase: Phase, message: string): void;
  /** Milliseconds from the start of the run to the end of each phase, and `total` until now. */
  timingsMs(): Readonly<Record<string, number>>;
}

/** @param startMs of the run, by the clock's `elapsedMs` */
export function startProgress(log: Pick<Log, 'debug' | 'info'>, clock: Clock, startMs: number): Progress {
  const sinceStart = () => Math.round(clock.elapsedMs() - startMs);
  const ends = new Map<string, number>();
  return {
    done: (phase, message) => {
      const atMs = sinceStart();
      ends.set(phase, atMs);
      const line = `[${String(atMs).padStart(5)} ms] ${message}`;
      if (OUTPUT_PHASES.has(phase)) log.debug(line);
      else log.info(line);
    },
    timingsMs: () => ({ ...Object.fromEntries(ends), total: sinceStart() }),
  };
}

// What a run has done, as the summary and the JSON object tell it.

export interface WrittenOutput {
  /** In the configuration: `outputs[0]`, `services[1]` or a flag. */
  readonly path: string;
  readonly type: string;
  /** Absolute path of the directory, or `memory`. */
  readonly destination: string;
  /** Relative to the destination, in the order of writing. */
  readonly files: readonly string[];
  readonly roles: readonly string[];
  /** Unix users to log in as by ssh; undefined where the certificates are not for ssh. */
  readonly logins?: readonly string[] | undefined;
  readonly expiresAtMs: number;
  /** What the names in the output's kubeconfig are, if it has one. */
  readonly kubeconfig?: KubeconfigNames | undefined;
  /** What the certificates are good for, when that is one resource; how a later step calls it. */
  readonly access?: Access | undefined;
  /** Sentences that a person should read: a shortened lifetime, say. */
  readonly notices: readonly string[];
}

/** An output that was not written, or not wholly. */
export interface FailedOutput {
  readonly path: string;
  /** Of the configuration file, counted from 1; undefined where there is no file. */
  readonly line: number | undefined;
  readonly type: string;
  readonly error: MachineIdError;
}

export interface KubeconfigNames {
  /** In the file's order. */
  readonly contexts: readonly string[];
  readonly user: string;
}

export type Access =
  | { readonly kind: 'aws'; readonly role: string; readonly profile: string }
  | { readonly kind: 'application'; readonly name: string; readonly address: string }
  | {
      readonly kind: 'database';
      readonly name: string;
      /** As Teleport calls it: `postgres`, `mysql`. */
      readonly protocol: string;
      readonly user: string | undefined;
      readonly database: string | undefined;
    };

/** This program itself, or the tbot that is installed. */
export type Engine = 'native' | 'tbot';

export interface RunResult {
  /** `host:port` of the Proxy. */
  readonly proxy: string;
  readonly cluster: string;
  readonly clusterVersion: string;
  /** Undefined when tbot has joined and has left no certificate that names the bot. */
  readonly bot: string | undefined;
  /** Who has joined and written. */
  readonly engine: Engine;
  /** Undefined when tbot has joined: it does not tell how. */
  readonly joinPath: JoinPath | undefined;
  /** Those that were written. */
  readonly outputs: readonly WrittenOutput[];
  readonly failures: readonly FailedOutput[];
  /** Names of the variables that later steps get. */
  readonly exported: readonly string[];
  readonly timingsMs: Readonly<Record<string, number>>;
  /** In the order of their beginning. */
  readonly spans: readonly Span[];
}

/** What an engine hands back. */
export type RunEnd = Omit<RunResult, 'proxy' | 'exported' | 'timingsMs' | 'spans'> & {
  /** What the run ends with; undefined when every output was written. */
  readonly failure: MachineIdError | undefined;
};
