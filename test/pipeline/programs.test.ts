import assert from 'node:assert/strict';
import { mkdir, readFile, symlink, writeFile } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { test, type TestContext } from 'node:test';
import { toolFolder } from '../orb/tool-folder.ts';
import { outputOf, program, type ProgramRun, runProgramSync } from '../programs.ts';
import { temporaryFolder } from '../temporary-folder.ts';
import { type Ran, runStep } from './configs.ts';

/** What apt-get install does here: makes the programs. */
const INSTALLS = 'for made in kubectl chromium; do cp "${0%/*}/env" "${0%/*}/$made"; done';
const KNOWS_ALL = 'echo "  Candidate: 1.0"';

interface Machine {
  readonly apt?: string;
  readonly cache?: string;
  readonly user?: number;
  readonly tools?: readonly string[];
}

async function ask(
  context: TestContext,
  { apt = INSTALLS, cache = KNOWS_ALL, user = 0, tools = [] }: Machine,
): Promise<Ran> {
  const folder = await temporaryFolder(context);
  const scripts = {
    ...(apt === '' ? {} : { 'apt-get': `echo "apt-get $*"; [ "$1" = update ] || { ${apt}; }` }),
    'apt-cache': cache,
    id: `echo ${user}`,
    ...(tools.includes('sudo') ? { sudo: 'echo "as root: $*"; exec "$@"' } : {}),
  };
  const bin = join(folder, 'bin');
  await mkdir(bin);
  for (const name of ['bash', 'env', 'cp']) {
    await symlink(program(name), join(bin, name));
  }
  for (const [name, text] of Object.entries({ ...scripts, git: 'true' })) {
    await writeFile(join(bin, name), `#!${join(bin, 'bash')}\n${text}\n`, { mode: 0o755, flag: 'wx' });
  }
  const script = (await readFile('.ci/programs', 'utf8')).replace('$PATH:/usr/sbin:/sbin', '$PATH');
  return runStep(
    `set -- git:git kubectl:kubernetes-client chromium:chromium\n${script}`,
    { PATH: bin },
    { shell: '/bin/bash' },
  );
}

test('only missing programs are installed', async (context) => {
  const { exitCode, output } = await ask(context, {});
  assert.equal(exitCode, 0, output);
  assert.match(output, /apt-get install .* kubernetes-client chromium$/m);
});

test('a user who is not root installs with sudo', async (context) => {
  const { exitCode, output } = await ask(context, { user: 1000, tools: ['sudo'] });
  assert.equal(exitCode, 0, output);
  assert.match(output, /^as root: env DEBIAN_FRONTEND=noninteractive apt-get install/m);
});

test('each unavailable package is named, and nothing is installed', async (context) => {
  const { exitCode, output } = await ask(context, { cache: 'echo "  Candidate: (none)"' });
  assert.equal(exitCode, 1);
  assert.match(output, /no package kubernetes-client$/m);
  assert.match(output, /no package chromium$/m);
  assert.doesNotMatch(output, /apt-get install/);
});

test('a package without its program, such as one for a snap, is named with the program', async (context) => {
  const { exitCode, output } = await ask(context, { apt: INSTALLS.replace(' chromium', '') });
  assert.equal(exitCode, 1);
  assert.match(output, /installed, but still missing: chromium of the package chromium$/m);
});

test('without apt-get or sudo, the missing programs are reported', async (context) => {
  const without = await ask(context, { apt: '' });
  assert.equal(without.exitCode, 1);
  assert.match(without.output, /there is no apt-get to install them: kubectl chromium/);
  const user = await ask(context, { user: 1000 });
  assert.equal(user.exitCode, 1);
  assert.match(user.output, /only root can install them, or sudo, which is missing too: kubectl chromium/);
});

const SUITE = 'node_modules/a-suite/bin/conformance_test_runner-linux-x64';

/** `.ci/conformance-programs` on a machine with stand-ins of these programs. */
async function getRunner(
  context: TestContext,
  standIns: Readonly<Record<string, string>>,
): Promise<{ readonly ran: ProgramRun; readonly folder: string; readonly runner: string }> {
  const folder = await temporaryFolder(context);
  await mkdir(join(folder, dirname(SUITE)), { recursive: true });
  await writeFile(join(folder, SUITE), '#!/bin/sh\necho "the runner: $*"\n', { mode: 0o755 });
  const tools = ['mkdir', 'rm', 'grep', 'ln', 'sed', 'head', 'chmod', 'cat', 'cp'];
  const PATH = await toolFolder(join(folder, 'bin'), tools, standIns);
  const ran = runProgramSync(
    '/bin/bash',
    [resolve('.ci/conformance-programs'), 'protobuf_conformance_runner:a-suite'],
    {
      cwd: folder,
      environment: { PATH },
    },
  );
  return { ran, folder, runner: join(folder, 'build/conformance/bin/protobuf_conformance_runner') };
}

test('a runner of a conformance suite that this machine can load is used as it is', async (context) => {
  const { ran, runner } = await getRunner(context, { ldd: 'echo libc.so.6' });
  assert.equal(ran.exitCode, 0, ran.stderr);
  assert.equal(outputOf(runner, ['x']), 'the runner: x\n');
});

test('a runner that needs a newer C library gets a separate one, unpacked and not installed', async (context) => {
  const { folder, ran, runner } = await getRunner(context, {
    ldd: 'echo "version GLIBC_2.38 not found"',
    'apt-cache': 'echo " 500 http://mirror.example.com/debian bookworm/main amd64 Packages"',
    'apt-get': 'case "$*" in *" download "*) echo > libc.deb ;; esac',
    'dpkg-deb': `libraries="$3/usr/lib/x86_64-linux-gnu"
      mkdir -p "$libraries"
      printf '#!/bin/sh\\necho "loader: $*"\\nshift 2\\nexec "$@"\\n' > "$libraries/ld-linux-x86-64.so.2"
      chmod +x "$libraries/ld-linux-x86-64.so.2"`,
  });
  assert.equal(ran.exitCode, 0, ran.stderr);
  assert.equal(
    await readFile(join(folder, 'build/conformance/sources.list'), 'utf8'),
    'deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] http://mirror.example.com/debian trixie main\n',
  );
  assert.match(outputOf(runner, ['x']), /^loader: --library-path .*\nthe runner: x\n$/);
});

test('a conformance program that is not known fails the check', () => {
  const { exitCode, stderr } = runProgramSync('/bin/bash', ['.ci/conformance-programs', 'other:x']);
  assert.equal(exitCode, 1);
  assert.equal(stderr, 'no way to get other\n');
});
