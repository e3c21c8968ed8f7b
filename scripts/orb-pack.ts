/**
 * Writes the packed orb: `npm run orb:pack -- [--source DIR] [--bundle FILE] [--bundle-url URL] [--out FILE]`.
 *
 *   --tree DIR      also writes the source tree, which CircleCI's own tools pack into the same orb
 *   --dev           makes `delivery: embedded` the default, for trying a version before its release
 *   --variant NAME  packs another orb from the same sources; scripts/orb-pack/variants.ts describes them
 */
import { copyFile, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { packOrb } from './orb-pack/pack.ts';
import { releaseTree } from './orb-pack/packed-release.ts';
import { packageVersion } from './release/package-version.ts';
import { readSourceFile, readSourceTree } from './orb-pack/source-tree.ts';
import { OrbSourceError } from './orb-pack/source-error.ts';
import { delegating, type Variant, VARIANTS, variantSources, withScriptByDefault } from './orb-pack/variants.ts';

const { values } = parseArgs({
  options: {
    source: { type: 'string', default: 'orb' },
    bundle: { type: 'string', default: 'dist/machine-id.cjs' },
    'bundle-url': { type: 'string' },
    out: { type: 'string', default: 'build/orb.yml' },
    tree: { type: 'string' },
    dev: { type: 'boolean', default: false },
    variant: { type: 'string', default: 'whole' },
  },
});

try {
  const variant = variantNamed(values.variant);
  const sources = variantSources(
    variant,
    await readSourceTree(values.source),
    await readSourceFile('scripts/orb-pack/embedded.yml'),
  );
  const release = {
    files: values.dev ? withScriptByDefault(sources) : sources,
    bundle: await readFile(values.bundle),
    version: await packageVersion(),
    downloadUrl: values['bundle-url'],
  };
  const tree = releaseTree(release);
  const packed = packOrb(tree);
  const orb = variant === 'delegating' ? delegating(packed) : packed;
  if (values.tree !== undefined) await writeTree(values.tree, tree);
  await mkdir(dirname(values.out), { recursive: true });
  await writeFile(values.out, orb);
  console.log(`${values.out} ${Buffer.byteLength(orb)} bytes`);
} catch (error) {
  if (!(error instanceof OrbSourceError)) throw error;
  console.error(error.message);
  process.exitCode = 1;
}

function variantNamed(name: string): Variant {
  const variant = VARIANTS.find((one) => one === name);
  if (variant === undefined) {
    throw new OrbSourceError([`--variant must be one of ${VARIANTS.join(', ')}, got "${name}"`]);
  }
  if (values.dev && variant !== 'whole') {
    throw new OrbSourceError(['--dev needs the variant whole, the only one with both kinds of delivery']);
  }
  if (values.tree !== undefined && variant === 'delegating') {
    throw new OrbSourceError([
      '--tree cannot be combined with the variant delegating, which is made from a packed orb',
    ]);
  }
  if (values.tree !== undefined && resolve(values.tree) === resolve(values.source)) {
    throw new OrbSourceError(['--tree must not name the source folder']);
  }
  return variant;
}

/** Replaces the tree of an earlier run. Includes the yamllint configuration, which yamllint reads from its working directory. */
async function writeTree(folder: string, files: ReadonlyMap<string, string>): Promise<void> {
  if (resolve(folder) === resolve(values.source)) throw new OrbSourceError(['--tree must not be the source directory']);
  for (const part of new Set([...files.keys()].map((path) => path.split('/')[0] ?? path))) {
    await rm(join(folder, part), { recursive: true, force: true });
  }
  for (const [path, text] of files) {
    const target = join(folder, path);
    await mkdir(dirname(target), { recursive: true });
    await writeFile(target, text);
  }
  await copyFile('.yamllint', join(folder, '.yamllint'));
}
