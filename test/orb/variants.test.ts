import assert from 'node:assert/strict';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { parse, stringify } from 'yaml';
import { readSourceFile } from '../../scripts/orb-pack/source-tree.ts';
import { delegating, type Variant, variantSources, withScriptByDefault } from '../../scripts/orb-pack/variants.ts';
import { mapping } from '../job-runner/mapping.ts';
import { type JobResult, runJob } from '../job-runner/run-job.ts';
import { temporaryFolder } from '../temporary-folder.ts';
import { stderrOf } from './orb-job.ts';
import { checkPacked } from './packed-rules.ts';
import { reviewSource } from './review-rules.ts';
import { packedWith, sourceFiles, version } from './source.ts';
import { callIn, STAND_IN as BUNDLE } from './stand-in.ts';
import { textAt } from './walk.ts';

const UNREACHABLE = 'https://localhost:1/machine-id.cjs';

const embeddedFiles = await readSourceFile('scripts/orb-pack/embedded.yml');

function packed(variant: Variant): string {
  return packedWith(BUNDLE, UNREACHABLE, variantSources(variant, sourceFiles, embeddedFiles));
}

/** Runs a job of these steps, or a call of an orb's job, with orbs inline by their names. */
async function run(
  context: TestContext,
  orbs: Readonly<Record<string, string>>,
  { steps, call }: { readonly steps?: readonly unknown[]; readonly call?: unknown },
): Promise<JobResult> {
  const home = join(await temporaryFolder(context), 'home');
  await mkdir(home);
  const jobs = steps === undefined ? {} : { jobs: { work: { machine: true, steps } } };
  const workflows = call === undefined ? {} : { workflows: { main: { jobs: [call] } } };
  const config = stringify({ version: 2.1, ...jobs, ...workflows });
  return runJob({ config, orbs, job: 'work', home });
}

const JOIN = { config: '', proxy: 'p:443', token: 't', destination: '/d', ssh: true };
const JOINED = 'run --proxy-server=p:443 --token=t --destination=/d --ssh';

function shown(step: { readonly stdout: string } | undefined): string | undefined {
  return callIn(step?.stdout ?? '')?.flags.join(' ');
}

for (const variant of ['download-only', 'embedded'] as const) {
  test(`the orb ${variant} follows the rules for packed orbs and of CircleCI's review`, () => {
    const files = variantSources(variant, sourceFiles, embeddedFiles);
    assert.deepEqual(checkPacked(mapping(parse(packed(variant)), variant)), []);
    assert.deepEqual(reviewSource(files, version), []);
  });
}

test('the orb without the script is small, and offers only its kind of delivery', () => {
  const orb: unknown = parse(packed('download-only'));
  assert.ok(!packed('download-only').includes('MACHINE_ID_BUNDLE_1: '));
  for (const place of ['commands.install', 'jobs.run']) {
    assert.equal(textAt(orb, `${place}.parameters.delivery.enum.0`), 'download');
    assert.equal(textAt(orb, `${place}.parameters.delivery.enum.1`), undefined);
  }
});

test('no orb has a hint that applies only to another orb', () => {
  assert.ok(!packed('download-only').includes('delivery: embedded'));
  assert.ok(!packed('embedded').includes('the parameter delivery'));
});

test('the second orb installs the script without a download, and the first one uses it', async (context) => {
  const orbs = { 'machine-id': packed('download-only'), 'machine-id-embedded': packed('embedded') };
  const steps = ['machine-id-embedded/install', 'machine-id/install', { 'machine-id/join': JOIN }];
  const result = await run(context, orbs, { steps });
  assert.equal(result.exitCode, 0, stderrOf(result));
  assert.match(stderrOf(result), /is already installed/);
  assert.equal(shown(result.steps.at(-1)), JOINED);
});

test('the second orb is a pre-step of the job of the first one', async (context) => {
  const orbs = { 'machine-id': packed('download-only'), 'machine-id-embedded': packed('embedded') };
  const call = { name: 'work', checkout: false, 'pre-steps': ['machine-id-embedded/install'], ...JOIN };
  const result = await run(context, orbs, { call: { 'machine-id/run': { ...call, steps: [{ run: 'true' }] } } });
  assert.equal(result.exitCode, 0, stderrOf(result));
  assert.ok(result.steps.some((step) => shown(step) === JOINED));
});

test('with a second orb of another version, the first one downloads the script', async (context) => {
  const other = packedWith('another', UNREACHABLE, variantSources('embedded', sourceFiles, embeddedFiles));
  const orbs = { 'machine-id': packed('download-only'), 'machine-id-embedded': other };
  const install = { 'machine-id/install': { download_url: 'http://localhost:1/' } };
  const result = await run(context, orbs, { steps: ['machine-id-embedded/install', install] });
  assert.equal(result.exitCode, 1);
  assert.match(stderrOf(result), /must begin with https/);
});

test('a dev version uses the embedded script, in the command and in the job', async (context) => {
  const dev = packedWith(BUNDLE, UNREACHABLE, withScriptByDefault(sourceFiles));
  const asCommand = await run(
    context,
    { 'machine-id': dev },
    { steps: ['machine-id/install', { 'machine-id/join': JOIN }] },
  );
  assert.equal(shown(asCommand.steps.at(-1)), JOINED, stderrOf(asCommand));
  const asJob = await run(
    context,
    { 'machine-id': dev },
    { call: { 'machine-id/run': { name: 'work', checkout: false, ...JOIN } } },
  );
  assert.equal(asJob.exitCode, 0, stderrOf(asJob));
});

test('a released version downloads the script by default', () => {
  for (const place of ['commands.install', 'jobs.run']) {
    const delivery = textAt(parse(packedWith(BUNDLE)), `${place}.parameters.delivery.default`);
    assert.equal(delivery, 'download');
  }
});

test('the delegating orb breaks only the rule about the name run', () => {
  const orb = mapping(parse(delegating(packed('whole'))), 'orb');
  assert.deepEqual(checkPacked(orb), ["commands.run: hides CircleCI's own step run"]);
});

test('the commands of the delegating orb do the same as the inline commands, and run is join', async (context) => {
  const orbs = { 'machine-id': delegating(packed('whole')) };
  for (const name of ['run', 'join']) {
    const steps = [{ 'machine-id/install': { delivery: 'embedded' } }, { [`machine-id/${name}`]: JOIN }];
    const result = await run(context, orbs, { steps });
    assert.equal(shown(result.steps.at(-1)), JOINED, stderrOf(result));
  }
});

test('the job of the delegating orb runs unchanged', async (context) => {
  const call = { name: 'work', checkout: false, delivery: 'embedded', ...JOIN };
  const result = await run(
    context,
    { 'machine-id': delegating(packed('whole')) },
    { call: { 'machine-id/run': call } },
  );
  assert.equal(result.exitCode, 0, stderrOf(result));
  assert.ok(result.steps.some((step) => shown(step) === JOINED));
});

test('a delegating orb whose job needs the hidden step is rejected', () => {
  const orb = mapping(parse(packed('whole')), 'orb');
  const jobs = { broken: { machine: true, steps: [{ run: { name: 'x', command: 'true' } }] } };
  assert.throws(() => delegating(stringify({ ...orb, jobs })), /uses CircleCI's own step run/);
});
