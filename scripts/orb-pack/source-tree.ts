/** Reads the sources of an orb into memory. */
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parse, stringify } from 'yaml';

/** Contents by path relative to `folder`. Ignores files and directories with a leading dot, as CircleCI does. */
export async function readSourceTree(folder: string): Promise<ReadonlyMap<string, string>> {
  const files = new Map<string, string>();
  await addFiles(folder, '', files);
  return files;
}

/** Reads several files of an orb from one file, a mapping from path to content. */
export async function readSourceFile(path: string): Promise<ReadonlyMap<string, string>> {
  const contents: unknown = parse(await readFile(path, 'utf8'));
  if (typeof contents !== 'object' || contents === null) throw new Error(`${path} is not a mapping`);
  return new Map(Object.entries(contents).map(([name, content]) => [name, stringify(content, { lineWidth: 120 })]));
}

async function addFiles(folder: string, prefix: string, files: Map<string, string>): Promise<void> {
  for (const entry of await readdir(folder, { withFileTypes: true })) {
    if (entry.name.startsWith('.')) continue;
    const path = join(folder, entry.name);
    if (entry.isDirectory()) await addFiles(path, `${prefix}${entry.name}/`, files);
    else files.set(`${prefix}${entry.name}`, await readFile(path, 'utf8'));
  }
}
