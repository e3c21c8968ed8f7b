/** Builds the bundle, compares it with dist/ and prints its SBOM. */
import { execFileSync } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { bundledPackages } from './release/bundled-packages.ts';
import { packageVersion } from './release/package-version.ts';
import { sbom } from './release/sbom.ts';

const folder = await mkdtemp(join(tmpdir(), 'machine-id-sbom-'));
try {
  const list = join(folder, 'packages.json');
  execFileSync(process.execPath, ['scripts/build.mjs', '--out', folder, '--packages', list], { stdio: 'ignore' });
  const bundle = await readFile('dist/machine-id.cjs');
  if (!bundle.equals(await readFile(join(folder, 'machine-id.cjs')))) {
    throw new Error('dist/machine-id.cjs is not what the sources build, so its packages are unknown');
  }
  process.stdout.write(sbom({ version: await packageVersion(), bundle, packages: await bundledPackages(list) }));
} finally {
  await rm(folder, { recursive: true, force: true });
}
