/** Writes the packed orb: `npm run orb:pack -- [--source DIR] [--bundle FILE] [--bundle-url URL] [--out FILE]`. */
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { parseArgs } from 'node:util';
import { packRelease } from './orb-pack/packed-release.ts';
import { readSourceTree } from './orb-pack/source-tree.ts';
import { OrbSourceError } from './orb-pack/source-error.ts';

const { values } = parseArgs({
  options: {
    source: { type: 'string', default: 'orb' },
    bundle: { type: 'string', default: 'dist/machine-id.cjs' },
    'bundle-url': { type: 'string' },
    out: { type: 'string', default: 'build/orb.yml' },
  },
});

async function packageVersion(): Promise<string> {
  const manifest: unknown = JSON.parse(await readFile('package.json', 'utf8'));
  if (typeof manifest === 'object' && manifest !== null && 'version' in manifest) {
    if (typeof manifest.version === 'string') return manifest.version;
  }
  throw new Error('package.json has no version');
}

try {
  const orb = packRelease({
    files: await readSourceTree(values.source),
    bundle: await readFile(values.bundle),
    version: await packageVersion(),
    downloadUrl: values['bundle-url'],
  });
  await mkdir(dirname(values.out), { recursive: true });
  await writeFile(values.out, orb);
  console.log(`${values.out} ${Buffer.byteLength(orb)} bytes`);
} catch (error) {
  if (!(error instanceof OrbSourceError)) throw error;
  console.error(error.message);
  process.exitCode = 1;
}
