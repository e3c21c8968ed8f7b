/** What every step of a run works with. */
import type { Plan } from '../config/plan.ts';
import type { SupportedOutput } from '../config/supported.ts';
import type { Log } from '../effects/log.ts';
import type { Retries } from '../effects/retry.ts';
import type { World } from '../effects/world.ts';
import type { WriteRecord } from '../outputs/write-record.ts';
import type { WireTrace } from '../teleport/wire-trace.ts';
import type { Account } from './account.ts';
import type { Progress } from './progress.ts';

export interface RunContext {
  readonly world: World;
  readonly log: Log;
  readonly progress: Progress;
  readonly account: Account;
  readonly plan: Plan;
  readonly outputs: readonly SupportedOutput[];
  readonly retries: Retries;
  /** With `debug` alone. */
  readonly trace?: WireTrace | undefined;
  /** What is written is told here first. */
  readonly record: WriteRecord;
}
