/** `npm run release:check`: everything about a release that can be proven without the network; exit code 1 with findings. */
import { execFileSync } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { packRelease } from './orb-pack/packed-release.ts';
import { readSourceTree } from './orb-pack/source-tree.ts';
import { releaseFindings } from './release/checks.ts';
import { documentsOf } from './release/documents.ts';
import { packageVersion } from './release/package-version.ts';

const BUNDLE = 'dist/machine-id.cjs';

async function rebuild(): Promise<Buffer> {
  const folder = await mkdtemp(join(tmpdir(), 'machine-id-build-'));
  try {
    execFileSync(process.execPath, ['scripts/build.mjs', '--out', folder], { stdio: 'ignore' });
    return await readFile(join(folder, 'machine-id.cjs'));
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

const bundle = await readFile(BUNDLE);
const version = await packageVersion();
const files = await readSourceTree('orb');
const findings = releaseFindings({
  version,
  bundle,
  rebuilt: [await rebuild(), await rebuild()],
  packedOrb: packRelease({ files, bundle, version }),
  changelog: await readFile('CHANGELOG.md', 'utf8'),
  documents: await documentsOf('.'),
  tag: process.env.CIRCLE_TAG,
});
for (const finding of findings) console.error(finding);
console.log(findings.length === 0 ? `${version} fits together` : `${findings.length} finding(s)`);
process.exitCode = findings.length === 0 ? 0 : 1;
