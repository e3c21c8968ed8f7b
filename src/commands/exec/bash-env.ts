/** Bash reads `$BASH_ENV` when it starts, also inside `exec`, where an earlier `join` must not replace the command's own variables. */
import { join } from 'node:path';
import type { World } from '../../effects/world.ts';
import { appendLines, exportedToLaterSteps, exportLines, shellQuoted } from '../../job/bash-env.ts';

interface OwnVariables {
  readonly variables: ReadonlyMap<string, string>;
  /** The private directory. */
  readonly directory: string;
}

const MAX_BYTES = 16 * 1024 * 1024;

/**
 * If the file of the job exports other values, the command gets a separate file, which reads that of the job first. What the command
 * appends to it is appended to the file of the job, for later steps.
 * @param work is called with the path for `BASH_ENV`
 * @throws MachineIdError BASH_ENV_UNWRITABLE; what the work throws
 */
export async function withOwnBashEnv<T>(
  { directory, variables }: OwnVariables,
  { environment, files }: Pick<World, 'environment' | 'files'>,
  work: (bashEnv: string | undefined) => Promise<T>,
): Promise<T> {
  const { BASH_ENV: ofJob } = environment;
  const earlier = await exportedToLaterSteps(files, environment);
  const differs = [...variables].some(([name, value]) => earlier.has(name) && earlier.get(name) !== value);
  if (ofJob === undefined || !differs) return work(ofJob);
  const path = join(directory, 'bash_env');
  const own = `. ${shellQuoted(ofJob)}\n${exportLines(variables)}`;
  await files.createFile(path, own);
  const result = await work(path);
  const text = await files.readText(path, { maxBytes: MAX_BYTES }).catch(() => '');
  if (text.startsWith(own) && text.length > own.length) await appendLines(files, ofJob, text.slice(own.length));
  return result;
}
