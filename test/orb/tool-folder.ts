/** Makes a folder that is a whole `PATH`: the programs that are named and no others. */
import { execFileSync } from 'node:child_process';
import { mkdir, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

/** What every Linux image has, the scripts of the orb need, and no test takes away. */
const BASIC = ['cat', 'cp', 'cut', 'find', 'id', 'mkdir', 'mv', 'printenv', 'rm', 'sh'];

/** @param programs names of this machine's programs, or texts of shell scripts by name */
export async function toolFolder(
  folder: string,
  programs: readonly string[],
  scripts: Readonly<Record<string, string>> = {},
): Promise<string> {
  await mkdir(folder, { recursive: true });
  for (const name of [...BASIC, ...programs]) {
    const path = execFileSync('sh', ['-c', 'command -v "$1"', 'sh', name], { encoding: 'utf8' }).trim();
    await symlink(path, join(folder, name));
  }
  for (const [name, text] of Object.entries(scripts)) {
    await writeFile(join(folder, name), `#!/bin/sh\n${text}\n`, { mode: 0o755 });
  }
  return folder;
}
