/** Makes a folder that is a whole `PATH`: the programs that are named and no others. */
import { mkdir, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { program } from '../programs.ts';
import { sourceFiles } from './source.ts';

/** What the scripts of the orb say that they call in any case. */
export const NEEDED: readonly string[] =
  /^require_programs 'install machine-id' (.*)$/m.exec(sourceFiles.get('scripts/node.sh') ?? '')?.[1]?.split(' ') ?? [];

/** @param programs names of this machine's programs, or texts of shell scripts by name */
export async function toolFolder(
  folder: string,
  programs: readonly string[],
  scripts: Readonly<Record<string, string>> = {},
): Promise<string> {
  await mkdir(folder, { recursive: true });
  const own = Object.keys(scripts);
  // Never a link where a text is to be written: that would write through it, into this machine's own program.
  for (const name of ['sh', ...new Set([...NEEDED, ...programs])].filter((one) => !own.includes(one))) {
    await symlink(program(name), join(folder, name));
  }
  for (const [name, text] of Object.entries(scripts)) {
    await writeFile(join(folder, name), `#!/bin/sh\n${text}\n`, { mode: 0o755, flag: 'wx' });
  }
  return folder;
}
