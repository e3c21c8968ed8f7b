/**
 * `npm run release:check [-- --packed FILE]`: checks everything about a release that can be checked without the network.
 * Exit code 1 if there are findings. FILE is the orb packed by CircleCI's own CLI, which must be the same orb as ours.
 */
import { execFileSync } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { packRelease } from './orb-pack/packed-release.ts';
import { readSourceTree } from './orb-pack/source-tree.ts';
import { type BundledPackage, bundledPackages, packageFindings } from './release/bundled-packages.ts';
import { releaseFindings } from './release/checks.ts';
import { documentsOf } from './release/documents.ts';
import { builtElsewhere } from './release/elsewhere.ts';
import { packageVersion } from './release/package-version.ts';
import { orbDifferences } from './release/same-orb.ts';

const BUNDLE = 'dist/machine-id.cjs';

async function rebuild(): Promise<{ bytes: Buffer; packages: readonly BundledPackage[] }> {
  const folder = await mkdtemp(join(tmpdir(), 'machine-id-build-'));
  try {
    const list = join(folder, 'packages.json');
    execFileSync(process.execPath, ['scripts/build.mjs', '--out', folder, '--packages', list], { stdio: 'ignore' });
    return { bytes: await readFile(join(folder, 'machine-id.cjs')), packages: await bundledPackages(list) };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

const { values } = parseArgs({ options: { packed: { type: 'string' } } });
const bundle = await readFile(BUNDLE);
const version = await packageVersion();
const files = await readSourceTree('orb');
const packedOrb = packRelease({ files, bundle, version });
const { bytes, packages } = await rebuild();
const findings = [
  ...packageFindings(packages),
  ...releaseFindings({
    version,
    bundle,
    rebuilt: [bytes, await builtElsewhere()],
    packedOrb,
    changelog: await readFile('CHANGELOG.md', 'utf8'),
    documents: await documentsOf('.'),
    tag: process.env.CIRCLE_TAG,
  }),
  ...(values.packed === undefined ? [] : orbDifferences(await readFile(values.packed, 'utf8'), packedOrb)),
];
for (const finding of findings) console.error(finding);
console.log(findings.length === 0 ? `${version} is consistent` : `${findings.length} finding(s)`);
process.exitCode = findings.length === 0 ? 0 : 1;
