// Runs node's test runner over every test file, or over those whose path contains one of the arguments. The files are
// compiled to build/tests first, all at once: to compile each in its own process takes a third of a second per file.
import { build } from 'esbuild';
import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';

/** Runs at the same time need folders of their own. */
const OUT = process.env.TEST_BUILD ?? 'build/tests';

/** @returns {string[]} every `*.test.ts` below `folder`, sorted */
function testFiles(folder) {
  return readdirSync(folder, { withFileTypes: true })
    .flatMap((entry) =>
      entry.isDirectory()
        ? testFiles(join(folder, entry.name))
        : entry.name.endsWith('.test.ts')
          ? [join(folder, entry.name)]
          : [],
    )
    .sort();
}

const wanted = process.argv.slice(2);
const files = testFiles('test').filter((file) => wanted.length === 0 || wanted.some((part) => file.includes(part)));
if (files.length === 0) {
  console.error(`no test file matches ${wanted.join(', ')}`);
  process.exit(1);
}

rmSync(OUT, { recursive: true, force: true });
await build({
  entryPoints: files,
  outdir: OUT,
  outbase: '.',
  bundle: true,
  splitting: true,
  format: 'esm',
  platform: 'node',
  target: 'node20',
  packages: 'external',
  sourcemap: true,
  logLevel: 'warning',
  plugins: [{ name: 'own-folder', setup: keepOwnFolder }],
});
const run = spawnSync(
  process.execPath,
  [
    '--enable-source-maps',
    '--test',
    `--test-concurrency=${process.env.TEST_CONCURRENCY ?? 2}`,
    '--test-timeout=120000',
    '--test-reporter=spec',
    ...files.map((file) => join(OUT, file.replace(/\.ts$/, '.js'))),
  ],
  { stdio: 'inherit', env: { TEST_RSA_KEYS: join(process.cwd(), 'build/test-keys'), ...process.env } },
);
process.exit(run.status ?? 1);

/** A file finds what lies beside its source, not beside what is compiled from it. */
function keepOwnFolder({ onLoad }) {
  onLoad({ filter: /[/\\]test[/\\].*\.ts$/ }, ({ path }) => {
    const source = readFileSync(path, 'utf8');
    if (!source.includes('import.meta.dirname')) return undefined;
    return { contents: source.replaceAll('import.meta.dirname', JSON.stringify(dirname(path))), loader: 'ts' };
  });
}
