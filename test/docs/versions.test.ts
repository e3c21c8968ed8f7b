import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import test from 'node:test';
import { parse } from 'yaml';
import { z } from 'zod';
import { hostKeyAlgorithm, keyAlgorithm } from '../../src/teleport/suite.ts';
import { VERSIONS } from '../e2e/profiles.ts';
import { textOf } from './documents.ts';
import { sections, tableRows } from './markdown.ts';

const page = textOf('docs/explanation/versions.md').replaceAll(/\n(?=\S)/g, ' ');

function rowsOf(heading: string): readonly (readonly string[])[] {
  const section = sections(textOf('docs/explanation/versions.md')).find((one) => one.heading === heading);
  assert.ok(section !== undefined, heading);
  return tableRows(section.text);
}

test('the versions of Teleport are those that the bundle is run against, with what differs between them', () => {
  const expected = VERSIONS.map(({ joinPath, keyFields, keyType, teleport }) => [
    teleport,
    joinPath === 'legacy' ? 'registration endpoint' : 'join service',
    keyType === 'RSA' ? 'RSA-2048' : 'ECDSA P-256',
    keyFields.one ? 'one for both' : 'one for each',
  ]);
  assert.deepEqual(rowsOf('Teleport'), expected);
});

const KEY_NAMES = { 'rsa-2048': 'RSA-2048', 'ecdsa-p256': 'ECDSA P-256', ed25519: 'Ed25519' } as const;

test('the kinds of keys are those of each suite', () => {
  const told = rowsOf('Keys');
  assert.deepEqual(
    told.map(([suite]) => suite),
    ['legacy', 'balanced-v1', 'fips-v1', 'hsm-v1'],
  );
  for (const [suite = '', bot, , host] of told) {
    assert.equal(bot, KEY_NAMES[keyAlgorithm(suite)], suite);
    assert.equal(host, KEY_NAMES[hostKeyAlgorithm(suite)], suite);
  }
  assert.equal(KEY_NAMES[keyAlgorithm('of-tomorrow')], 'ECDSA P-256');
});

test('the oldest Node.js is the one that the bundle is built for and that the orb asks for', () => {
  const [, oldest = ''] = /The script needs Node\.js (\d+) or later/.exec(page) ?? [];
  assert.match(readFileSync('scripts/build.mjs', 'utf8'), new RegExp(`target: 'node${oldest}'`));
  assert.match(readFileSync('orb/scripts/parts/programs.sh', 'utf8'), new RegExp(`^mi_needed=${oldest}$`, 'm'));
});

test('the Node.js that install downloads is documented, and the version for development', () => {
  const brought = readFileSync('orb/scripts/bring-node.sh', 'utf8').matchAll(/\bmi_release=(\d+\.\d+\.\d+)/g);
  const [, usual = '', onWindows = ''] = /downloads Node\.js (\S+) if .* \((\S+) on Windows\)/.exec(page) ?? [];
  assert.deepEqual(new Set([...brought].map(([, version]) => version)), new Set([usual, onWindows]));
  const { engines } = z
    .object({ engines: z.object({ node: z.string() }) })
    .parse(JSON.parse(readFileSync('package.json', 'utf8')));
  const [, develop = ''] = /Development needs Node\.js (\S+) or later/.exec(page) ?? [];
  assert.equal(`>=${develop}`, engines.node);
});

test('the versions of Node.js are those of CI, and the one of the tests themselves', () => {
  const others = [...readFileSync('.ci/run', 'utf8').matchAll(/\bon_node (\d+)\b/g)].map(([, version = '']) => version);
  const [, told = ''] = /committed bundle on Node\.js ([\d, and]+)\./.exec(page) ?? [];
  const versions = new Set(told.match(/\d+/g));
  assert.ok(versions.has('18'));
  for (const one of others) assert.ok(versions.has(one), `${one} of .ci/run`);
  assert.deepEqual(
    [...versions].filter((one) => !others.includes(one)),
    ['20'],
  );
});

const Job = z.union([z.string(), z.record(z.string(), z.looseObject({ name: z.string().optional() }))]);
const Pipeline = z.object({ workflows: z.object({ test_deploy: z.object({ jobs: z.array(Job) }) }) });

test("the jobs of the orb's pipeline that use the orb are in the table of executors, each once", () => {
  const { workflows } = Pipeline.parse(parse(readFileSync('.circleci/test-deploy.yml', 'utf8')));
  const jobs = workflows.test_deploy.jobs.flatMap((job) => (typeof job === 'string' ? [] : Object.entries(job)));
  const using = jobs.filter(([job]) => ['with_node', 'install_only', 'windows'].includes(job));
  const told = rowsOf('Executors').flatMap(([, , names = '']) => (names === '–' ? [] : names.split(', ')));
  assert.deepEqual(told.toSorted(), using.map(([job, { name = job }]) => name).sort());
});
