/** The orb's own source tree and the version that it would be released as. */
import { readFile } from 'node:fs/promises';
import { z } from 'zod';
import { packRelease } from '../../scripts/orb-pack/packed-release.ts';
import { readSourceTree } from '../../scripts/orb-pack/source-tree.ts';

export const sourceFiles = await readSourceTree('orb');

export const { version } = z.object({ version: z.string() }).parse(JSON.parse(await readFile('package.json', 'utf8')));

/** The orb as a release with these bytes as the script would publish it. */
export function packedWith(bundle: string | Uint8Array, downloadUrl?: string, files = sourceFiles): string {
  return packRelease({ files, bundle: Buffer.from(bundle), version, downloadUrl });
}

/** The source tree with one file replaced by what `change` makes of it, or added. */
export function sourceWith(path: string, change: (text: string) => string): ReadonlyMap<string, string> {
  return new Map(sourceFiles).set(path, change(sourceFiles.get(path) ?? ''));
}
