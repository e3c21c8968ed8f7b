import assert from 'node:assert/strict';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { parse, stringify } from 'yaml';
import { mapping } from '../job-runner/mapping.ts';
import { runJob, type JobResult } from '../job-runner/run-job.ts';
import { temporaryFolder } from '../temporary-folder.ts';
import { packedWith } from './source.ts';
import { callIn, STAND_IN as BUNDLE } from './stand-in.ts';

async function runTheJob(t: Parameters<typeof temporaryFolder>[0], more: object): Promise<JobResult> {
  const home = await temporaryFolder(t);
  await mkdir(join(home, 'source'));
  await writeFile(join(home, 'source/file'), 'checked out\n');
  await writeFile(join(home, 'bundle.cjs'), BUNDLE);
  const call = {
    name: 'deploy',
    bundle_path: join(home, 'bundle.cjs'),
    config: '',
    proxy: 'p:443',
    token: 't',
    destination: '/d',
    ...more,
  };
  const workflows = { main: { jobs: [{ 'machine-id/run': call }] } };
  const config = stringify({ version: 2.1, workflows });
  const orbs = { 'machine-id': packedWith(BUNDLE) };
  return runJob({ config, orbs, job: 'deploy', home, checkoutFrom: join(home, 'source') });
}

function shown({ stdout }: { readonly stdout: string }): string {
  return callIn(stdout)?.flags.join(' ') ?? stdout.trim();
}

test('the steps run between the join and the cleanup, in a checked out project', async (t) => {
  const { exitCode, steps } = await runTheJob(t, { ssh: true, steps: [{ run: 'cat file' }] });
  assert.equal(exitCode, 0);
  assert.deepEqual(steps.slice(-3).map(shown), [
    'run --proxy-server=p:443 --token=t --destination=/d --ssh',
    'checked out',
    'cleanup',
  ]);
});

test('cleanup runs after a failed step and keeps its exit code', async (t) => {
  const { exitCode, steps } = await runTheJob(t, { checkout: false, steps: [{ run: 'exit 4' }] });
  assert.equal(exitCode, 4);
  assert.deepEqual(steps.slice(-1).map(shown), ['cleanup']);
});

test('the report is stored before the given steps', async (t) => {
  const { steps } = await runTheJob(t, { report: 'file', steps: [{ run: 'exit 4' }] });
  assert.deepEqual(
    steps.slice(-4).map((step) => shown(step).split('/').at(-1)),
    ['d --report=file', 'file', '', 'cleanup'],
  );
});

test('the executor without Node.js can be used', async (t) => {
  assert.equal((await runTheJob(t, { executor: 'machine-id/no_node' })).exitCode, 0);
});

test('the job has the configured working directory, parallelism and IP ranges', async (t) => {
  const more = { working_directory: '~/app', parallelism: 3, circleci_ip_ranges: true, bring_node: false };
  const { exitCode, steps } = await runTheJob(t, { ...more, credential_ttl: '2h', steps: [{ run: 'pwd; cat file' }] });
  assert.equal(exitCode, 0);
  assert.match(shown(steps.at(-2) ?? { stdout: '' }), /\/app\nchecked out$/);
  assert.match(steps.map(shown).join('\n'), /--credential-ttl=2h/);
  assert.ok(!steps.some(({ name }) => name.includes('Bring Node.js')));
});

const orb = mapping(parse(packedWith(BUNDLE)), 'orb');

function parametersOf(section: string, name: string): ReadonlyMap<string, unknown> {
  const { parameters } = mapping(mapping(orb[section], section)[name], name);
  return new Map(Object.entries(mapping(parameters, name)));
}

/** What a parameter says elsewhere where it says something else here. */
const OF_ITS_OWN: Readonly<Record<string, readonly string[]>> = {
  doctor: ['config', 'export_env', 'report', 'anonymous_telemetry', 'deadline', 'when', 'step_name'],
  run: ['report', 'delivery', 'bundle_path', 'download_url', 'bring_node', 'node_mirror', 'tools', 'tools_version'],
};

test('doctor has every parameter of join that affects the join, with the same description', () => {
  const [join, doctor] = [parametersOf('commands', 'join'), parametersOf('commands', 'doctor')];
  for (const [name, parameter] of join) {
    assert.ok(doctor.has(name), name);
    if (OF_ITS_OWN.doctor?.includes(name) === false) assert.deepEqual(doctor.get(name), parameter, name);
  }
});

test('the job has the parameters of install and join that matter for a whole job, with the same defaults', () => {
  const job = parametersOf('jobs', 'run');
  const steps = new Map([...parametersOf('commands', 'install'), ...parametersOf('commands', 'join')]);
  const left = [...steps.keys()].filter((name) => !job.has(name));
  assert.deepEqual(left.sort(), ['export_env', 'step_name', 'when']);
  for (const [name, parameter] of job) {
    const other = steps.get(name);
    if (other === undefined || ['working_directory', 'install_dir'].includes(name)) continue;
    const { description, ...rest } = mapping(parameter, name);
    const { description: expected, ...same } = mapping(other, name);
    assert.deepEqual(rest, same, name);
    if (OF_ITS_OWN.run?.includes(name) === false) assert.equal(description, expected, name);
  }
});
