/** What the page about a run tells, gathered from what is known of the run. */
import type { MachineIdError } from '../errors.ts';
import type { RunFacts, Span } from '../produce/account.ts';
import type { Engine } from '../produce/result.ts';

export interface RunReport {
  /** Of this program. */
  readonly version: string;
  readonly engine: Engine;
  readonly writtenAtMs: number;
  readonly totalMs: number;
  readonly facts: Partial<RunFacts>;
  readonly spans: readonly Span[];
  /** Undefined when the run has done what it should. */
  readonly failure: MachineIdError | undefined;
}
