/** Runs `doctor` and reads its JSON output. */
import { z } from 'zod';
import type { Job, RunChanges } from './job.ts';

const Examination = z.object({
  checks: z.array(z.object({ id: z.string(), state: z.string(), detail: z.string(), fix: z.string().optional() })),
});

type Checks = ReadonlyMap<string, z.infer<typeof Examination>['checks'][number]>;

export async function checksOf(job: Job, flags: readonly string[], changes?: RunChanges): Promise<Checks> {
  const { stdout } = await job.run(['doctor', ...flags, '--json'], changes);
  return new Map(Examination.parse(JSON.parse(stdout)).checks.map((check) => [check.id, check]));
}
