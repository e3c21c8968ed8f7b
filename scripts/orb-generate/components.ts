/** The commands and jobs of the orb with their generated parts: what lies between `# generated: NAME` and `# end of NAME`. */
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { orbParts } from './parts.ts';

const FOLDERS = ['orb/commands', 'orb/jobs'];

const PART = /^( *)# generated: (.+)\n[^]*?^ *# end of \2$/gm;

/**
 * Text by path, as it should be.
 * @throws Error when a file has a part that nothing generates, or no file has a part that is generated
 */
export async function orbComponents(): Promise<ReadonlyMap<string, string>> {
  const parts = orbParts();
  const unused = new Set(parts.keys());
  const components = new Map<string, string>();
  for (const folder of FOLDERS) {
    for (const name of (await readdir(folder)).toSorted()) {
      const path = join(folder, name);
      const text = await readFile(path, 'utf8');
      for (const [, , part = ''] of text.matchAll(PART)) unused.delete(part);
      components.set(path, withParts(path, text, parts));
    }
  }
  if (unused.size > 0) throw new Error(`no file in ${FOLDERS.join(' or ')} has ${[...unused].join(', ')}`);
  return components;
}

function withParts(path: string, text: string, parts: ReadonlyMap<string, readonly string[]>): string {
  return text.replaceAll(PART, (_, indent: string, name: string) => {
    const lines = parts.get(name);
    if (lines === undefined) throw new Error(`${path}: nothing generates "${name}"`);
    return [`# generated: ${name}`, ...lines, `# end of ${name}`].map((line) => `${indent}${line}`).join('\n');
  });
}
