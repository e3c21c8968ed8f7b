/** Builds the bundle in a copy of the sources, in a folder whose path has nothing in common with this one. */
import { execFileSync } from 'node:child_process';
import { cp, mkdir, mkdtemp, readFile, rm, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { ALLOWED_PACKAGES } from './bundled-packages.ts';

const SOURCES = ['src', 'scripts', 'package.json', 'tsconfig.json', 'LICENSE'];
/** What runs during the build; none of their code is in the bundle. */
const BUILDERS = ['esbuild', 'terser'];

export async function builtElsewhere(): Promise<Buffer> {
  const folder = await mkdtemp(join(tmpdir(), 'machine-id, another place ü '));
  try {
    for (const part of [...SOURCES, ...[...ALLOWED_PACKAGES.keys()].map((name) => join('node_modules', name))]) {
      await mkdir(dirname(join(folder, part)), { recursive: true });
      await cp(part, join(folder, part), { recursive: true });
    }
    for (const name of BUILDERS) await symlink(resolve('node_modules', name), join(folder, 'node_modules', name));
    execFileSync(process.execPath, ['scripts/build.mjs'], { cwd: folder, stdio: 'ignore' });
    return await readFile(join(folder, 'dist', 'machine-id.cjs'));
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
