/** What a run has come to know and how long its parts took, told also when it fails half-way. */
import type { Plan } from '../config/plan.ts';
import type { SupportedOutput } from '../config/supported.ts';
import type { Clock } from '../effects/clock.ts';
import type { OidcClaims } from '../job/oidc-claims.ts';
import type { RunResult, WrittenOutput } from './result.ts';

/** Who is at work: this machine, the cluster that is asked, or an output with both. */
export type SpanKind = 'job' | 'cluster' | 'output';

/** A part of a run, in whole milliseconds since the run's start; parts may overlap. */
export interface Span {
  readonly kind: SpanKind;
  readonly name: string;
  readonly startMs: number;
  readonly endMs: number;
  /** `unfinished` had not ended when the run did. */
  readonly outcome: 'done' | 'failed' | 'unfinished';
}

/** What there is to know, each as soon as it is known. */
export interface RunFacts {
  readonly plan: Plan;
  readonly claims: OidcClaims;
  readonly cluster: string;
  readonly clusterVersion: string;
  readonly bot: RunResult['bot'];
  readonly joinPath: RunResult['joinPath'];
  readonly outputs: readonly SupportedOutput[];
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
