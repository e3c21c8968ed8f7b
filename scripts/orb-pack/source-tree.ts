/** Reads an orb's source folder into memory. */
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';

/** Contents by path relative to `folder`; files and folders whose name begins with a dot are left out, as CircleCI does. */
export async function readSourceTree(folder: string): Promise<ReadonlyMap<string, string>> {
  const files = new Map<string, string>();
  await addFiles(folder, '', files);
  return files;
}

async function addFiles(folder: string, prefix: string, files: Map<string, string>): Promise<void> {
  for (const entry of await readdir(folder, { withFileTypes: true })) {
    if (entry.name.startsWith('.')) continue;
    const path = join(folder, entry.name);
    if (entry.isDirectory()) await addFiles(path, `${prefix}${entry.name}/`, files);
    else files.set(`${prefix}${entry.name}`, await readFile(path, 'utf8'));
  }
}
