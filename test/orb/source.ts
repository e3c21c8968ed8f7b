/** The orb's own source tree and the version that it would be released as. */
import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { z } from 'zod';
import { packRelease } from '../../scripts/orb-pack/packed-release.ts';
import { readSourceTree } from '../../scripts/orb-pack/source-tree.ts';

export const sourceFiles = await readSourceTree('orb');

export const { version } = z.object({ version: z.string() }).parse(JSON.parse(await readFile('package.json', 'utf8')));

/** By sources, then by script and address: to pack takes a tenth of a second, and several for the real script. */
const packed = new WeakMap<ReadonlyMap<string, string>, Map<string, string>>();

/** The orb as a release with these bytes as the script would publish it. */
export function packedWith(bundle: string | Uint8Array, downloadUrl?: string, files = sourceFiles): string {
  const known = packed.get(files) ?? new Map<string, string>();
  packed.set(files, known);
  const key = `${createHash('sha256').update(bundle).digest('hex')} ${downloadUrl ?? ''}`;
  const orb = known.get(key) ?? packRelease({ files, bundle: Buffer.from(bundle), version, downloadUrl });
  known.set(key, orb);
  return orb;
}

/** The source tree with one file replaced by what `change` makes of it, or added. */
export function sourceWith(path: string, change: (text: string) => string): ReadonlyMap<string, string> {
  return new Map(sourceFiles).set(path, change(sourceFiles.get(path) ?? ''));
}
