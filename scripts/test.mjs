// node scripts/test.mjs [--unit] [PART]...: runs node's test runner over every test file, or only unit tests, or only files
// whose path contains one of the parts. The files are compiled to build/tests first, all at once: to compile each in its own process takes a third of a second per file.
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, rmSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { compile } from './compile.mjs';

/** Runs at the same time need folders of their own. */
const OUT = process.env.TEST_BUILD ?? 'build/tests';

/**
 * The other packages are compiled in: to find and read the files of @grpc/grpc-js and of what makes certificates takes
 * every process that starts a cluster a quarter of a second. These look for files of their own, or are large and rarely used.
 */
const READ_AT_RUN_TIME = [
  'esbuild',
  'typescript',
  'playwright-core',
  '@kubernetes/client-node',
  '@aws-sdk/*',
  'prettier',
];

/** CommonJS packages in an ES module call it for Node's own modules. */
const REQUIRE = "import { createRequire } from 'node:module'; const require = createRequire(import.meta.url);";

/** Programs that tests start. They are compiled too, so that no test waits for a loader (`compiled` in test/programs.ts). */
const PROGRAMS = [
  'test/cluster/main.ts',
  'test/job-runner/main.ts',
  'test/connections/flood-server.ts',
  'test/effects/read-input.ts',
  'scripts/orb-pack.ts',
];

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

/** Tests of single files start no server and never the bundle: they are in folders named as those of src. */
const isUnit = (file) => existsSync(join('src', file.split('/')[1].replace('.test', '')));

const [first, ...others] = process.argv.slice(2);
const wanted = first === undefined || first === '--unit' ? others : [first, ...others];
const files = testFiles('test')
  .filter((file) => first !== '--unit' || isUnit(file))
  .filter((file) => wanted.length === 0 || wanted.some((part) => file.includes(part)));
if (files.length === 0) {
  console.error(`no test file matches ${wanted.join(', ')}`);
  process.exit(1);
}

rmSync(OUT, { recursive: true, force: true });
await compile({
  entryPoints: [...files, ...PROGRAMS],
  outdir: OUT,
  outbase: '.',
  splitting: true,
  sourcemap: true,
  packages: 'bundle',
  external: READ_AT_RUN_TIME,
  banner: { js: REQUIRE },
});
// One more file than cores: many wait, for a deadline or a pause between attempts.
const run = spawnSync(
  process.execPath,
  [
    '--enable-source-maps',
    '--test',
    `--test-concurrency=${process.env.TEST_CONCURRENCY ?? availableParallelism() + 1}`,
    '--test-timeout=120000',
    '--test-reporter=spec',
    ...files.map((file) => join(OUT, file.replace(/\.ts$/, '.js'))),
  ],
  { stdio: 'inherit', env: { TEST_RSA_KEYS: join(process.cwd(), 'build/test-keys'), ...process.env, TEST_BUILD: OUT } },
);
process.exit(run.status ?? 1);
