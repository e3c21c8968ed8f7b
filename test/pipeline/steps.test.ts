import assert from 'node:assert/strict';
import { mkdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { missing } from '../programs.ts';
import { temporaryFolder } from '../temporary-folder.ts';
import { codeBlocks } from '../docs/markdown.ts';
import { packedWith } from '../orb/source.ts';
import { toolFolder } from '../orb/tool-folder.ts';
import { commandOf, runStep } from './configs.ts';

const PROGRAMS = ['bash', 'sleep', 'seq', 'wc', 'sha256sum', 'chmod', 'basename', 'touch', 'cat', 'cut', 'grep'];

interface Place {
  readonly folder: string;
  readonly environment: Readonly<Record<string, string>>;
}

/** A home and a `PATH` with stand-ins, of which each notes its arguments in a file of its name. */
async function place(context: TestContext, standIns: Readonly<Record<string, string>>): Promise<Place> {
  const folder = await temporaryFolder(context);
  const scripts = Object.entries(standIns).map(
    ([name, text]) => [name, `echo "$*" >> "${join(folder, name)}"\n${text}`] as const,
  );
  const PATH = await toolFolder(join(folder, 'bin'), PROGRAMS, Object.fromEntries(scripts));
  return { folder, environment: { PATH, HOME: folder, BASH_ENV: join(folder, 'bash_env') } };
}

async function noted({ folder }: Place, name: string): Promise<string> {
  return readFile(join(folder, name), 'utf8').catch(() => '');
}

const WAIT = await commandOf('Wait for the cluster and mint a token');

test('the wait for the cluster has a limit, and its error names the log', async (context) => {
  const here = await place(context, { npm: 'echo a-token' });
  const { exitCode, output } = await runStep(WAIT, { ...here.environment, CLUSTER_TIMEOUT_S: '1' });
  assert.equal(exitCode, 1);
  assert.match(output, /not ready within 1 s; its own step says why/);
  assert.equal(await noted(here, 'npm'), '');
});

for (const shell of ['/bin/bash -eo pipefail', 'busybox ash -eo pipefail', '/bin/sh -e']) {
  const skip = shell.startsWith('busybox') && missing('busybox');
  test(`the wait ends with a token for later steps, in ${shell}`, { skip }, async (context) => {
    const here = await place(context, { npm: 'echo a-token' });
    await writeFile(join(here.folder, 'cluster-ready.json'), '{}\n');
    const { exitCode, output } = await runStep(
      WAIT,
      { ...here.environment, PATH: `${here.environment.PATH ?? ''}:/bin:/usr/bin` },
      { shell },
    );
    assert.equal(exitCode, 0, output);
    assert.equal(await readFile(join(here.folder, 'bash_env'), 'utf8'), 'export CIRCLE_OIDC_TOKEN=a-token\n');
  });
}

test('output of the cluster before it is ready does not end the wait', async (context) => {
  const here = await place(context, { npm: 'echo a-token' });
  await mkdir(join(here.folder, 'cluster'));
  await writeFile(join(here.folder, 'cluster/issuer-key.pem'), 'x');
  await writeFile(join(here.folder, 'cluster-ready.json.part'), '{');
  assert.equal((await runStep(WAIT, { ...here.environment, CLUSTER_TIMEOUT_S: '1' })).exitCode, 1);
});

test('a token that could not be minted fails the step, and none is exported', async (context) => {
  const here = await place(context, { npm: 'exit 3' });
  await writeFile(join(here.folder, 'cluster-ready.json'), '{}\n');
  assert.equal((await runStep(WAIT, here.environment)).exitCode, 3);
  await assert.rejects(stat(join(here.folder, 'bash_env')), { code: 'ENOENT' });
});

const HALT = await commandOf('Stop here without a token');

test('without a token, as in a fork, no dev version is published and the job succeeds', async (context) => {
  const here = await place(context, { 'circleci-agent': '' });
  assert.equal((await runStep(HALT, here.environment)).exitCode, 0);
  assert.equal(await noted(here, 'circleci-agent'), 'step halt\n');
});

test('with a token, the job continues', async (context) => {
  const here = await place(context, { 'circleci-agent': '' });
  assert.equal((await runStep(HALT, { ...here.environment, CIRCLE_TOKEN: 'x' })).exitCode, 0);
  assert.equal(await noted(here, 'circleci-agent'), '');
});

const PUBLISHED = await commandOf('Stop here when this version is published already');

for (const [what, answer, halted] of [
  ['a version that is published already is not published again', 'exit 0', 'step halt\n'],
  ['a version that is not published yet goes on', 'exit 1', ''],
] as const) {
  test(`on a rerun, ${what}`, async (context) => {
    const here = await place(context, { circleci: answer, 'circleci-agent': '' });
    assert.equal((await runStep(PUBLISHED, { ...here.environment, CIRCLE_TAG: 'v1.2.3' })).exitCode, 0);
    assert.match(await noted(here, 'circleci'), /teleport\/machine-id@1\.2\.3$/m);
    assert.equal(await noted(here, 'circleci-agent'), halted);
  });
}

const DELEGATING = await commandOf('Ask CircleCI whether run can be another name of join');

for (const [answer, verdict] of [
  ['exit 0', /^ACCEPTED: /m],
  ['exit 7', /^REFUSED: /m],
] as const) {
  test(`the check of the name run reports a result and does not fail when CircleCI's CLI exits with ${answer}`, async (context) => {
    const here = await place(context, { circleci: answer });
    const { exitCode, output } = await runStep(DELEGATING, here.environment);
    assert.equal(exitCode, 0);
    assert.match(output, verdict);
  });
}

test('cosign with another digest is not started', async (context) => {
  const command = await commandOf('Sign the statements of provenance with the identity of this job');
  const here = await place(context, {
    curl: 'while [ "$1" != --output ]; do shift; done; printf "#!/bin/sh\\ntouch %s\\n" "$HOME/started" > "$2"',
  });
  const { exitCode, output } = await runStep(command.replaceAll('/tmp/cosign', join(here.folder, 'cosign')), {
    ...here.environment,
    COSIGN_URL: 'https://example.com',
    COSIGN_SHA256: '0'.repeat(64),
  });
  assert.equal(exitCode, 1, output);
  await assert.rejects(stat(join(here.folder, 'started')), { code: 'ENOENT' });
});

test('both the script and the orb are signed, each with its own token', async (context) => {
  const command = await commandOf('Sign the statements of provenance with the identity of this job');
  const here = await place(context, { curl: '', circleci: 'echo token', cosign: '' });
  const { exitCode, output } = await runStep(
    command.replace(/^echo .* sha256sum --check$/m, '').replaceAll('/tmp/cosign', join(here.folder, 'bin/cosign')),
    { ...here.environment, COSIGN_URL: 'https://example.com', COSIGN_SHA256: '0'.repeat(64) },
  );
  assert.equal(exitCode, 0, output);
  const signed = (await noted(here, 'cosign')).split('\n');
  for (const [at, file, bundle] of [
    [0, 'dist/machine-id.cjs', 'build/machine-id.sigstore.json'],
    [1, 'build/orb.yml', 'build/orb.sigstore.json'],
  ] as const) {
    assert.equal(
      signed[at],
      `attest-blob ${file} --yes --type slsaprovenance1 --predicate build/provenance.json --bundle ${bundle}`,
    );
  }
});

const VERIFY = await commandOf('Verify the signatures as users do');
const IDS = { CIRCLE_ORGANIZATION_ID: 'an-organization', CIRCLE_PROJECT_ID: 'a-project' };
const VERIFIES =
  'verify-blob-attestation --bundle machine-id.sigstore.json --type slsaprovenance1' +
  ' --certificate-oidc-issuer https://oidc.circleci.com/org/an-organization' +
  ' --certificate-identity-regexp ^https://circleci\\.com/api/v2/projects/a-project/ machine-id.cjs';

test('the pipeline verifies both signatures at once, with the command of the documentation', async (context) => {
  const here = await place(context, { cosign: '' });
  const command = VERIFY.replaceAll('/tmp/cosign', join(here.folder, 'bin/cosign'));
  const { exitCode, output } = await runStep(command, { ...here.environment, ...IDS });
  assert.equal(exitCode, 0, output);
  assert.deepEqual(
    (await noted(here, 'cosign'))
      .replaceAll(/\b(build|dist)\//g, '')
      .trim()
      .split('\n'),
    [VERIFIES, VERIFIES.replace('machine-id.sig', 'orb.sig').replace('machine-id.cjs', 'orb.yml')],
  );
});

test('a signature that does not verify fails the release', async (context) => {
  const here = await place(context, { cosign: 'exit 1' });
  const command = VERIFY.replaceAll('/tmp/cosign', join(here.folder, 'bin/cosign'));
  assert.equal((await runStep(command, { ...here.environment, ...IDS })).exitCode, 1);
  assert.equal((await noted(here, 'cosign')).split('\n').length, 2, 'the upload is a later step');
});

for (const [what, published, exitCode] of [
  ['accept the orb that pins the downloaded script', 'the script', 0],
  ['reject an orb that pins another script', 'another script', 1],
] as const) {
  test(`the three commands of the documentation ${what}`, async (context) => {
    const page = 'docs/explanation/security.md';
    const blocks = codeBlocks(await readFile(page, 'utf8'), page);
    const commands = blocks.find(({ text }) => text.includes('verify-blob-attestation'))?.text ?? '';
    assert.equal(commands.trim().split('\n').length, 3);
    const here = await place(context, {
      curl: `printf 'the script' > machine-id.cjs`,
      cosign: '',
      circleci: `cat orb.yml`,
    });
    await writeFile(join(here.folder, 'orb.yml'), packedWith(published));
    const environment = { ...here.environment, ORGANIZATION_ID: 'an-organization', PROJECT_ID: 'a-project' };
    const ran = await runStep(commands, environment, { cwd: here.folder });
    assert.equal(ran.exitCode, exitCode, ran.output);
    assert.equal(await noted(here, 'cosign'), `${VERIFIES}\n`);
    assert.match(
      await noted(here, 'curl'),
      /\/download\/vX\.Y\.Z\/machine-id\.\{cjs,sigstore\.json\}$/m,
      'curl itself reads the braces',
    );
    assert.equal(await noted(here, 'circleci'), 'orb source teleport/machine-id@X.Y.Z\n');
  });
}
