import assert from 'node:assert/strict';
import { mkdir, readFile, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { program } from '../programs.ts';
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
