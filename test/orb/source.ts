/** The orb's own source tree and the version that it would be released as. */
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { packRelease } from '../../scripts/orb-pack/packed-release.ts';
import { readSourceTree } from '../../scripts/orb-pack/source-tree.ts';

export const sourceFiles = await readSourceTree('orb');

export const { version } = z.object({ version: z.string() }).parse(JSON.parse(await readFile('package.json', 'utf8')));

/**
 * The orb as a release with these bytes as the script would publish it. To compress the real script takes two seconds, so
 * the processes of a test run share what one of them has packed, in the run's own folder.
 */
export function packedWith(bundle: string | Uint8Array, downloadUrl?: string, files = sourceFiles): string {
  const digest = createHash('sha256')
    .update(JSON.stringify([version, downloadUrl, ...files]))
    .update(bundle);
  const { TEST_BUILD: folder = 'build/tests' } = process.env;
  const path = join(folder, `packed-${digest.digest('hex')}`);
  if (existsSync(path)) return readFileSync(path, 'utf8');
  const orb = packRelease({ files, bundle: Buffer.from(bundle), version, downloadUrl });
  // Whole or not at all, for the other processes.
  writeFileSync(`${path}.${process.pid}`, orb);
  renameSync(`${path}.${process.pid}`, path);
  return orb;
}

/** The source tree with one file replaced by what `change` makes of it, or added. */
export function sourceWith(path: string, change: (text: string) => string): ReadonlyMap<string, string> {
  return new Map(sourceFiles).set(path, change(sourceFiles.get(path) ?? ''));
}
