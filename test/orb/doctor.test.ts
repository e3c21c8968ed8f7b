import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import test, { type TestContext } from 'node:test';
import { parse } from 'yaml';
import { NODE_URL, SCRIPT_URL } from '../../src/commands/doctor/egress.ts';
import { RETRY_POLICY } from '../../src/effects/retry.ts';
import { mapping } from '../job-runner/mapping.ts';
import { temporaryFolder } from '../temporary-folder.ts';
import { install, runOrbJob, stderrOf } from './orb-job.ts';
import { packedWith, version } from './source.ts';
import { callIn, STAND_IN as BUNDLE } from './stand-in.ts';

async function flagsOf(t: TestContext, parameters: Readonly<Record<string, unknown>>): Promise<readonly string[]> {
  const home = await temporaryFolder(t);
  const bundle = join(home, 'bundle.cjs');
  await writeFile(bundle, BUNDLE);
  const steps = [install({ bundle_path: bundle }), { 'machine-id/doctor': parameters }];
  const result = await runOrbJob({ bundle: BUNDLE, home, environment: { MIRROR: 'mirror.example.com' }, steps });
  assert.equal(result.exitCode, 0, stderrOf(result));
  return callIn(result.steps.at(-1)?.stdout ?? '')?.flags ?? [];
}

const PLACE = { proxy: 'example.teleport.sh:443', token: 'ci' };
const PLACE_FLAGS = ['doctor', '--proxy-server=example.teleport.sh:443', '--token=ci'];

function defaultsOf(command: string): Readonly<Record<string, unknown>> {
  const orb = mapping(parse(packedWith(BUNDLE)), 'orb');
  const { parameters } = mapping(mapping(orb.commands, 'commands')[command], command);
  return Object.fromEntries(
    Object.entries(mapping(parameters, command)).map(([name, one]) => [name, mapping(one, name).default]),
  );
}

test('without egress, doctor gets no download URLs', async (t) => {
  assert.deepEqual(await flagsOf(t, PLACE), PLACE_FLAGS);
});

test('egress lists the downloads of this version of the orb, unless mirrors are given', async (t) => {
  const [usual, mirrors] = await Promise.all([
    flagsOf(t, { ...PLACE, egress: true }),
    flagsOf(t, {
      ...PLACE,
      egress: true,
      download_url: 'https://$MIRROR/machine-id.cjs',
      node_mirror: '',
      cdn_base_url: 'https://$MIRROR/teleport',
    }),
  ]);
  assert.deepEqual(usual, [
    ...PLACE_FLAGS,
    '--egress',
    `--download-url=${String(defaultsOf('install').download_url)}`,
    `--node-mirror=${NODE_URL}`,
  ]);
  assert.deepEqual(mirrors, [
    ...PLACE_FLAGS,
    '--egress',
    '--download-url=https://mirror.example.com/machine-id.cjs',
    '--cdn-base-url=https://mirror.example.com/teleport',
  ]);
});

test("each command uses the script's deadline and passes on a different one", async (t) => {
  assert.equal(defaultsOf('doctor').deadline, RETRY_POLICY.doctorDeadlineMs / 1000);
  for (const command of ['join', 'install_tools']) {
    assert.equal(defaultsOf(command).deadline, RETRY_POLICY.deadlineMs / 1000);
  }
  assert.deepEqual(await flagsOf(t, { ...PLACE, deadline: 25 }), [...PLACE_FLAGS, '--deadline=25']);
});

test('script and orb have the same download URLs', () => {
  const { download_url, node_mirror } = defaultsOf('install');
  assert.equal(SCRIPT_URL.replace('0.0.0-source', version), download_url);
  assert.equal(NODE_URL, node_mirror);
  const doctor = defaultsOf('doctor');
  assert.deepEqual(
    { download_url: doctor.download_url, node_mirror: doctor.node_mirror },
    { download_url, node_mirror },
  );
});
