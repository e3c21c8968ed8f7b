/** Reads everything below a folder, so that a test can compare the states before and after. */
import { lstatSync, readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { lstat, mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

/** By path: `0600 <contents>` for a file, `0700 directory`, `link to <target>`. */
export type Listing = ReadonlyMap<string, string>;

/** Empty if the folder does not exist. */
export function listing(folder: string): Promise<Listing> {
  const found = new Map<string, string>();
  walk(folder, '.', found);
  return Promise.resolve(found);
}

/** In octal, as `ls` shows it: `0600`. */
export async function modeOf(path: string): Promise<string> {
  return modeText((await lstat(path)).mode);
}

function modeText(mode: number): string {
  return (mode & 0o7777).toString(8).padStart(4, '0');
}

/** Files as an earlier run would have left them; each contains its own name. */
export async function placeStandingFiles(folder: string): Promise<void> {
  await mkdir(folder, { recursive: true, mode: 0o700 });
  for (const name of ['identity', 'key', 'key-cert.pub', 'tlscert', 'ssh_config', 'known_hosts']) {
    await writeFile(join(folder, name), `${name} of an earlier run\n`, { mode: 0o600 });
  }
}

/** At once, so that nothing changes meanwhile. */
function walk(path: string, name: string, found: Map<string, string>): void {
  const stats = lstatSync(path, { throwIfNoEntry: false });
  if (stats === undefined) return;
  if (stats.isSymbolicLink()) {
    found.set(name, `link to ${readlinkSync(path)}`);
    return;
  }
  const mode = modeText(stats.mode);
  if (!stats.isDirectory()) {
    found.set(name, `${mode} ${stats.isFile() ? readFileSync(path, 'latin1') : 'not a file'}`);
    return;
  }
  found.set(name, `${mode} directory`);
  for (const entry of readdirSync(path).sort()) walk(join(path, entry), join(name, entry), found);
}
