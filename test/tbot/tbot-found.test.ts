import assert from 'node:assert/strict';
import { mkdir, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import test, { type TestContext } from 'node:test';
import { type Files, systemFiles } from '../../src/effects/files.ts';
import { supportedOutputs } from '../../src/outputs/supported.ts';
import type { SupportedOutput } from '../../src/outputs/outputs.ts';
import {
  findModificationTimes,
  findWritten,
  type ModificationTimes,
  type TbotDestination,
} from '../../src/tbot/written.ts';
import { planOf, v2Item } from '../config/plan-of.ts';
import { directory as directoryAt } from '../files/directory.ts';
import { AUTHORITY_FILES, IDENTITY_FILES } from '../output-files.ts';
import { temporaryFolder } from '../temporary-folder.ts';

async function outputOf(type: string, ...keys: readonly string[]): Promise<SupportedOutput> {
  const [output] = supportedOutputs(await planOf(v2Item(type, ['destination: {type: memory}', ...keys])));
  assert.ok(output !== undefined);
  return output;
}

async function folderWith(t: TestContext, names: readonly string[]): Promise<string> {
  const folder = await temporaryFolder(t);
  await mkdir(join(folder, 'cockroach'));
  for (const name of names) await writeFile(join(folder, name), name);
  return folder;
}

function placeIn(folder: string): TbotDestination {
  return { directory: folder, destination: directoryAt(folder) };
}

async function find(
  output: SupportedOutput,
  folder: string,
  { before = new Map(), files = systemFiles }: { before?: ModificationTimes; files?: Files } = {},
) {
  const found = await findWritten(output, placeIn(folder), before, files);
  return { names: found.files.map(({ name }) => name), faults: found.problems };
}

test('what clusters and versions add is found too, and what is not of tbot is not', async (t) => {
  const required = [...AUTHORITY_FILES, ...IDENTITY_FILES, 'known_hosts', 'ssh_config'];
  const more = ['leaf.ssh_config', 'leaf.known_hosts', '.write-test'];
  const folder = await folderWith(t, [...required, ...more, 'notes', 'svid_crl.pem']);
  const { faults, names } = await find(await outputOf('identity'), folder);
  assert.deepEqual(faults, []);
  assert.deepEqual(names.toSorted(), [...required, ...more].toSorted());
});

for (const [format, names] of [
  ['cockroach', ['cockroach/node.crt', 'cockroach/node.key', 'cockroach/ca.crt', 'cockroach/ca-client.crt']],
  ['mongo', ['mongo.crt', 'mongo.cas']],
  ['tls', ['tls.crt', 'tls.key', 'tls.cas']],
] as const) {
  test(`the files of the database format ${format} must be there`, async (t) => {
    const output = await outputOf('database', 'service: s', `format: ${format}`);
    const base = [...AUTHORITY_FILES, ...IDENTITY_FILES];
    assert.deepEqual(await find(output, await folderWith(t, [...base, ...names])), {
      faults: [],
      names: [...base, ...names],
    });
    const folder = await folderWith(t, base);
    const missing = names.filter((name) => name !== 'cockroach/ca-client.crt');
    assert.deepEqual(
      (await find(output, folder)).faults,
      missing.map((name) => `${join(folder, name)} is missing`),
    );
  });
}

test('a file that is older and unchanged counts as missing, or is left alone where it is optional', async (t) => {
  const folder = await folderWith(t, ['svid_key.pem', 'svid.pem', 'svid_crl.pem']);
  const output = await outputOf('workload-identity-x509', 'selector: {name: w}');
  const before = await findModificationTimes(output, placeIn(folder), systemFiles);
  assert.deepEqual([...before.keys()], ['svid_key.pem', 'svid.pem', 'svid_crl.pem']);
  for (const name of ['svid_key.pem', 'svid_bundle.pem']) await writeFile(join(folder, name), 'new');
  assert.deepEqual(await find(output, folder, { before }), {
    names: ['svid_key.pem', 'svid_bundle.pem'],
    faults: [`${join(folder, 'svid.pem')} existed before and was not written`],
  });
});

test('a file that is written again counts, whatever its clock says', async (t) => {
  const folder = await folderWith(t, ['jwt_svid']);
  const output = await outputOf('workload-identity-jwt', 'selector: {name: w}', 'audiences: [a]');
  const before = await findModificationTimes(output, placeIn(folder), systemFiles);
  await utimes(join(folder, 'jwt_svid'), 1_000_000, 1_000_000);
  assert.deepEqual(await find(output, folder, { before }), { names: ['jwt_svid'], faults: [] });
});

test("another user's file is refused", async (t) => {
  const folder = await folderWith(t, ['jwt_svid']);
  const output = await outputOf('workload-identity-jwt', 'selector: {name: w}', 'audiences: [a]');
  const { userId = 0 } = systemFiles;
  assert.deepEqual(await find(output, folder, { files: { ...systemFiles, userId: userId + 1 } }), {
    names: [],
    faults: [`${join(folder, 'jwt_svid')} belongs to another user (${userId})`],
  });
});

test('a directory that is gone lacks every file', async (t) => {
  const folder = join(await temporaryFolder(t), 'gone');
  const { faults, names } = await find(await outputOf('identity', 'ssh_config: off'), folder);
  assert.deepEqual(names, []);
  assert.deepEqual(
    faults,
    [...AUTHORITY_FILES, ...IDENTITY_FILES].map((name) => `${join(folder, name)} is missing`),
  );
});
