// node scripts/test.mjs [--unit] [PART]...: runs Node's test runner on every test file, on the unit tests, or on files whose
// path contains one of the parts. All files are first compiled to build/tests together: compiling each in its own process
// takes a third of a second per file.
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, rmSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { compile } from './compile.mjs';
import { sumCounts } from './conformance/test-counts.mjs';
import { groupsOf, writeGroup } from './test-groups.mjs';

/** Concurrent runs need separate directories. */
const OUT = process.env.TEST_BUILD ?? 'build/tests';

/**
 * Packages that are not compiled in, because they read their own files at run time or are large and rarely used. The others
 * are: loading @grpc/grpc-js and the certificate packages file by file takes each test process a quarter of a second.
 */
const READ_AT_RUN_TIME = [
  'esbuild',
  'typescript',
  'playwright-core',
  '@kubernetes/client-node',
  '@aws-sdk/*',
  '@cyclonedx/*',
  'prettier',
];

/** CommonJS packages in an ES module need `require` for Node's own modules. */
const REQUIRE = "import { createRequire } from 'node:module'; const require = createRequire(import.meta.url);";

/** Programs that tests start, compiled so that no test waits for a loader (`compiled` in test/programs.ts). */
const PROGRAMS = [
  'test/cluster/main.ts',
  'test/job-runner/main.ts',
  'test/connections/flood-server.ts',
  'test/effects/read-input.ts',
  'test/job/background-child.ts',
  'test/conformance/grpc-client.ts',
  'test/conformance/protobuf-codec.ts',
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

/** Unit tests start no server and never the bundle; they are in directories with the name of one in src. */
const isUnit = (file) => existsSync(join('src', file.split('/')[1].replace('.test', '')));

/** How many share a process, by folder: so few that the limit of 120 s, which is for a process, is far away. */
const FILES_OF_PROCESS = { chaos: 4, cluster: 11, connections: 8, docs: 7, e2e: 4, 'job-runner': 9 };
const UNIT_FILES_OF_PROCESS = 25;

/** These take as long as several others, or wait as long. */
const LONG = `
  auth-topologies broken-streams dead-addresses deadline doctor-networks documented-jobs egress-obstacles egress-proxies
  egress-refusals examples generic-oidc init interrupt killed killed-cleanup kubernetes refresh silent-servers
  ssh-multiplexer ssh-proxy-bytes tbot-engine topologies-http topologies-https topologies-none
  topologies-socks5 topologies-socks5h tunnel tunnel-killed tunnel-outages tunnel-renewal version-outputs`
  .trim()
  .split(/\s+/)
  .map((name) => `test/e2e/${name}.test.ts`);

/** These run alone, after all others: beside other tests, it depends on the machine whether a gibibyte is there in time. */
const ALONE = ['test/e2e/ssh-gibibyte.test.ts'];

/** How many files like this one share a process. */
const sharersOf = (file) =>
  isUnit(file) ? UNIT_FILES_OF_PROCESS : LONG.includes(file) ? 1 : (FILES_OF_PROCESS[file.split('/')[1]] ?? 1);

const [first, ...others] = process.argv.slice(2);
const parts = first === undefined || first === '--unit' ? others : [first, ...others];
const files = testFiles('test')
  .filter((file) => first !== '--unit' || isUnit(file))
  .filter((file) => parts.length === 0 || parts.some((part) => file.includes(part)));
if (files.length === 0) {
  console.error(`no test file matches ${parts.join(', ')}`);
  process.exit(1);
}

rmSync(OUT, { recursive: true, force: true });
await compile({
  entryPoints: [...files, ...PROGRAMS],
  outdir: OUT,
  outbase: '.',
  splitting: true,
  sourcemap: 'external',
  packages: 'bundle',
  external: READ_AT_RUN_TIME,
  banner: { js: REQUIRE },
});

/** `TEST_COUNTS` names a file for the counts, which the conformance page shows. */
const COUNTS = process.env.TEST_COUNTS;

/** @param {string} counts where the counts of this run go, if they are wanted */
function reporters(counts) {
  const spec = './scripts/test-reporter.mjs';
  if (COUNTS === undefined) return [`--test-reporter=${spec}`];
  const all = [
    [spec, 'stdout'],
    ['./scripts/conformance/test-counts.mjs', counts],
  ];
  return all.flatMap(([name, file]) => [`--test-reporter=${name}`, `--test-reporter-destination=${file}`]);
}

/** With authorities of this machine's network, each of the thousands of processes that tests start takes twice as long to start. */
const OF_NETWORK = ['NODE_EXTRA_CA_CERTS', 'SSL_CERT_DIR', 'SSL_CERT_FILE'];

function environment() {
  const own = Object.entries(process.env).filter(([name]) => !OF_NETWORK.includes(name));
  return { TEST_RSA_KEYS: join(process.cwd(), 'build/test-keys'), ...Object.fromEntries(own), TEST_BUILD: OUT };
}

/** @returns {number} the exit code */
function run(some, concurrency, counts) {
  const { status } = spawnSync(
    process.execPath,
    [
      ...['--test', `--test-concurrency=${concurrency}`, '--test-timeout=120000', ...reporters(counts)],
      ...groupsOf(some, sharersOf).map((group) => writeGroup(group, OUT)),
    ],
    { stdio: 'inherit', env: environment() },
  );
  return status ?? 1;
}

// Two more files than cores: many wait, for a deadline or a pause between attempts.
const atOnce = process.env.TEST_CONCURRENCY ?? availableParallelism() + 2;
const runs = [
  { files: files.filter((file) => !ALONE.includes(file)), concurrency: atOnce },
  { files: files.filter((file) => ALONE.includes(file)), concurrency: 1 },
].filter((one) => one.files.length > 0);
const partOf = (index) => `${COUNTS}.${index}`;
const statuses = runs.map((one, index) => run(one.files, one.concurrency, partOf(index)));
if (COUNTS !== undefined) sumCounts([...runs.keys()].map(partOf), COUNTS);
process.exit(Math.max(...statuses));
