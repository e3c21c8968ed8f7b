/**
 * Writes the packed orb: `npm run orb:pack -- [--source DIR] [--bundle FILE] [--bundle-url URL] [--out FILE]`, and with
 * `--tree DIR` the source tree that CircleCI's own tools pack into the same.
 */
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { parseArgs } from 'node:util';
import { packRelease, releaseTree } from './orb-pack/packed-release.ts';
import { packageVersion } from './release/package-version.ts';
import { readSourceTree } from './orb-pack/source-tree.ts';
import { OrbSourceError } from './orb-pack/source-error.ts';

const { values } = parseArgs({
  options: {
    source: { type: 'string', default: 'orb' },
    bundle: { type: 'string', default: 'dist/machine-id.cjs' },
    'bundle-url': { type: 'string' },
    out: { type: 'string', default: 'build/orb.yml' },
    tree: { type: 'string' },
  },
});

async function writeTree(folder: string, files: ReadonlyMap<string, string>): Promise<void> {
  for (const [path, text] of files) {
    const target = join(folder, path);
    await mkdir(dirname(target), { recursive: true });
    await writeFile(target, text);
  }
}

try {
  const release = {
    files: await readSourceTree(values.source),
    bundle: await readFile(values.bundle),
    version: await packageVersion(),
    downloadUrl: values['bundle-url'],
  };
  const orb = packRelease(release);
  if (values.tree !== undefined) await writeTree(values.tree, releaseTree(release));
  await mkdir(dirname(values.out), { recursive: true });
  await writeFile(values.out, orb);
  console.log(`${values.out} ${Buffer.byteLength(orb)} bytes`);
} catch (error) {
  if (!(error instanceof OrbSourceError)) throw error;
  console.error(error.message);
  process.exitCode = 1;
}
