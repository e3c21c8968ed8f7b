import assert from 'node:assert/strict';
import { chmod, link, mkdir, readdir, readFile, rm, symlink, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import test, { type TestContext } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { type Files, systemFiles } from '../../src/effects/files.ts';
import { systemCommands } from '../../src/effects/programs.ts';
import type { OutputFile } from '../../src/files/destination.ts';
import { prepareDirectory } from '../../src/files/prepare.ts';
import { recoverDirectory } from '../../src/files/recover.ts';
import { isAbandoned } from '../../src/files/staged-file.ts';
import { writeDirectory } from '../../src/files/write.ts';
import { NO_RECORD } from '../../src/job/manifest.ts';
import type { DirectoryDestination } from '../../src/schema/destination.ts';
import { temporaryFolder } from '../temporary-folder.ts';
import { directory } from './directory.ts';
import { DEAD_MARK, dyingAfter, markOf } from './dying-files.ts';

const NAMES = ['key', 'tlscert', 'identity', 'cockroach/ca.crt'];
/** More than any write takes. */
const MOST_STEPS = 60;

function output(run: string): readonly OutputFile[] {
  return NAMES.map((name) => ({ name, contents: `${name} of ${run}` }));
}

function write(destination: DirectoryDestination, run: string, files: Files = systemFiles) {
  const effects = { files, commands: systemCommands, record: NO_RECORD };
  return writeDirectory(effects, destination, destination.path, output(run));
}

/** What is there, by name below the folder. */
async function contentsOf(folder: string): Promise<ReadonlyMap<string, string>> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const paths = entries.filter((entry) => !entry.isDirectory()).map((entry) => join(entry.parentPath, entry.name));
  const texts = await Promise.all(paths.map(async (path) => [path, await readFile(path, 'utf8')] as const));
  return new Map(texts);
}

/** The run whose files are there, all of them; undefined when there are none. */
async function runIn(folder: string): Promise<string | undefined> {
  const contents = await contentsOf(folder);
  const leftovers = [...contents.keys()].filter((path) => path.includes('.machine-id.'));
  assert.deepEqual(leftovers, []);
  const runs = new Set([...contents.values()].map((text) => text.replace(/^.* of /, '')));
  assert.ok(runs.size <= 1, `files of ${[...runs].join(' and ')} beside each other`);
  const [run] = runs;
  if (run !== undefined) assert.equal(contents.size, NAMES.length);
  return run;
}

interface Place {
  readonly destination: DirectoryDestination;
  /** With everything that belongs to the destination. */
  readonly folder: string;
}

const PLACES: Readonly<Record<string, (t: TestContext) => Promise<Place>>> = {
  'an empty directory': async (t) => {
    const folder = await temporaryFolder(t);
    return { folder, destination: directory(folder) };
  },
  'a directory with the files of an earlier run': async (t) => {
    const folder = await temporaryFolder(t);
    await write(directory(folder), 'before');
    return { folder, destination: directory(folder) };
  },
  'a directory whose files are links': async (t) => {
    const folder = await temporaryFolder(t);
    const destination = directory(join(folder, 'destination'), { symlinks: 'insecure' });
    await mkdir(destination.path, { mode: 0o700 });
    await mkdir(join(folder, 'elsewhere'));
    await symlink('../elsewhere/key', join(destination.path, 'key'));
    await mkdir(join(folder, 'elsewhere', 'cockroach'));
    await symlink('../elsewhere/cockroach', join(destination.path, 'cockroach'));
    await write(destination, 'before');
    return { folder: join(folder), destination };
  },
};

/** Links are followed, so that each file is seen once by its name and once by where it is. */
async function runBehind({ destination, folder }: Place): Promise<string | undefined> {
  if (destination.symlinks !== 'insecure') return runIn(folder);
  const texts = await Promise.all(NAMES.map((name) => readFile(join(destination.path, name), 'utf8')));
  const runs = new Set(texts.map((text) => text.replace(/^.* of /, '')));
  assert.equal(runs.size, 1, `files of ${[...runs].join(' and ')} beside each other`);
  const all = await readdir(folder, { recursive: true });
  assert.deepEqual(
    all.filter((path) => path.includes('.machine-id.')),
    [],
  );
  return texts[0]?.replace(/^.* of /, '');
}

for (const [what, make] of Object.entries(PLACES)) {
  test(`whenever a run is killed that writes to ${what}, the next finds all its files or none`, async (t) => {
    const seen = new Set<string | undefined>();
    let steps = 0;
    for (; steps < MOST_STEPS; steps += 1) {
      const place = await make(t);
      const files = dyingAfter(steps);
      await write(place.destination, 'killed', files).catch(() => undefined);
      const { warnings } = await prepareDirectory(systemFiles, place.destination, '/nowhere', NO_RECORD);
      assert.deepEqual(warnings, []);
      seen.add(await runBehind(place));
      await write(place.destination, 'next');
      assert.equal(await runBehind(place), 'next', `killed at step ${steps}`);
      if (!files.isDead()) break;
    }
    assert.ok(steps > 12 && steps < MOST_STEPS, `${steps} steps`);
    assert.deepEqual([...seen].sort(), what === 'an empty directory' ? ['killed', undefined] : ['before', 'killed']);
  });
}

test('a run that is killed again while it completes another is completed by the one after', async (t) => {
  for (let steps = 0; steps < 12; steps += 1) {
    const folder = await temporaryFolder(t);
    await write(directory(folder), 'before');
    // The list is there, and one file is in its place.
    await write(directory(folder), 'killed', dyingAfter(12)).catch(() => undefined);
    await recoverDirectory(dyingAfter(steps), folder, 'try-secure');
    await recoverDirectory(systemFiles, folder, 'try-secure');
    assert.equal(await runIn(folder), 'killed', `killed again at step ${steps}`);
  }
});

/** Other runs may do anything between two renames. */
function slow(pauseMs: number): Files {
  return {
    ...systemFiles,
    renameAll: async (renames) => {
      for (const rename of renames) {
        await systemFiles.renameAll([rename]);
        await delay(pauseMs);
      }
    },
  };
}

test('runs with one destination at the same time all succeed, and leave the files of one of them', async (t) => {
  const folder = await temporaryFolder(t);
  await write(directory(folder), 'before');
  for (let round = 0; round < 10; round += 1) {
    const runs = ['a', 'b', 'c', 'd'].map(async (name, at) => {
      await delay(at * round);
      await write(directory(folder), name, slow(12 - 3 * at));
    });
    await Promise.all(runs);
    assert.match((await runIn(folder)) ?? '', /^[abcd]$/);
  }
});

test('a run whose files another run has put in their place counts them as written', async (t) => {
  const folder = await temporaryFolder(t);
  const files: Files = {
    ...systemFiles,
    renameAll: async (renames) => {
      await recoverDirectory(systemFiles, folder, 'try-secure');
      await systemFiles.renameAll(renames);
    },
  };
  await write(directory(folder), 'helped', files);
  assert.equal(await runIn(folder), 'helped');
});

const RANDOM = 'A'.repeat(16);

test('temporary files of runs that are under way stay, as do those of others', async (t) => {
  const folder = await temporaryFolder(t);
  const names = [
    `.machine-id.${markOf(process.ppid)}-${RANDOM}.tmp`,
    `.machine-id.other0-1-${RANDOM}.tmp`,
    '.machine-id.tmp',
    'machine-id.A.tmp',
  ];
  for (const name of names) await writeFile(join(folder, name), 'secret');
  await mkdir(join(folder, `.machine-id.${DEAD_MARK}-${RANDOM}.tmp`));
  assert.deepEqual(await recoverDirectory(systemFiles, folder, 'try-secure'), []);
  assert.deepEqual((await readdir(folder)).sort(), [...names, `.machine-id.${DEAD_MARK}-${RANDOM}.tmp`].sort());
});

test('temporary files without a living maker go, and a file that one is a second name of stays whole', async (t) => {
  const folder = await temporaryFolder(t);
  await mkdir(join(folder, 'cockroach'));
  await writeFile(join(folder, 'key'), 'old key');
  await link(join(folder, 'key'), join(folder, `.machine-id.${DEAD_MARK}-${RANDOM}.tmp`));
  const old = join(folder, `.machine-id.other0-1-${RANDOM}.tmp`);
  for (const path of [old, join(folder, '.machine-id.half.tmp'), join(folder, 'cockroach', '.machine-id.half.tmp')]) {
    await writeFile(path, 'secret');
  }
  const tenMinutesAgo = new Date(Date.now() - 10 * 60 * 1000);
  await utimes(old, tenMinutesAgo, tenMinutesAgo);
  assert.deepEqual(await recoverDirectory(systemFiles, folder, 'try-secure'), []);
  assert.deepEqual([...(await contentsOf(folder))], [[join(folder, 'key'), 'old key']]);
});

const JOURNAL = `.machine-id.${systemFiles.userId ?? 'user'}.journal`;

for (const [what, renames] of [
  ['a name outside of its folder', [{ from: `.machine-id.${RANDOM}.tmp`, to: '../victim' }]],
  ['a file that is not temporary', [{ from: 'theirs', to: 'key' }]],
] as const) {
  test(`a list that would rename ${what} is not followed`, async (t) => {
    const folder = await temporaryFolder(t);
    const destination = join(folder, 'destination');
    await mkdir(destination);
    await writeFile(join(destination, 'theirs'), 'theirs');
    await writeFile(join(folder, 'victim'), 'before');
    await writeFile(join(destination, `.machine-id.${RANDOM}.tmp`), 'planted');
    await writeFile(join(destination, JOURNAL), JSON.stringify({ renames }), { mode: 0o600 });
    assert.deepEqual(await recoverDirectory(systemFiles, destination, 'try-secure'), []);
    assert.deepEqual(await readdir(destination), ['theirs']);
    assert.equal(await readFile(join(folder, 'victim'), 'utf8'), 'before');
  });
}

const LIST = JSON.stringify({ renames: [{ from: `.machine-id.${RANDOM}.tmp`, to: 'planted' }] });

for (const [what, plant] of [
  [
    'that others could have written',
    async (path: string) => {
      await writeFile(path, LIST);
      await chmod(path, 0o666);
    },
  ],
  [
    'that is a link',
    async (path: string) => {
      await writeFile(`${path}.target`, LIST, { mode: 0o600 });
      await symlink(`${path}.target`, path);
    },
  ],
  ['that is no list', (path: string) => writeFile(path, LIST.slice(0, -1), { mode: 0o600 })],
] as const) {
  test(`a list ${what} is removed without being followed, and does not stop a write`, async (t) => {
    const folder = await temporaryFolder(t);
    const path = join(folder, JOURNAL);
    await plant(path);
    await writeFile(join(folder, `.machine-id.${RANDOM}.tmp`), 'planted');
    await write(directory(folder), 'new');
    await recoverDirectory(systemFiles, folder, 'try-secure');
    await rm(`${path}.target`, { force: true });
    assert.equal(await runIn(folder), 'new');
  });
}

test('a file system without hard links keeps its list all the same', async (t) => {
  for (let steps = 0; steps < 25; steps += 1) {
    const folder = await temporaryFolder(t);
    await write(directory(folder), 'before');
    const refused = () => Promise.reject(Object.assign(new Error('no'), { code: 'EPERM' }));
    const dying = dyingAfter(steps);
    await write(directory(folder), 'killed', Object.assign(dying, { link: refused })).catch(() => undefined);
    await recoverDirectory(systemFiles, folder, 'try-secure');
    assert.match((await runIn(folder)) ?? '', /^(before|killed)$/);
  }
});

test('only plain files of this user are taken for left behind', () => {
  const name = `.machine-id.${DEAD_MARK}-${RANDOM}.tmp`;
  const files = { ...systemFiles, userId: 1000 };
  const entry = { kind: 'file', mode: 0o600, userId: 1000, modifiedMs: Date.now() } as const;
  assert.equal(isAbandoned(name, entry, files), true);
  assert.equal(isAbandoned(name, { ...entry, userId: 1001 }, files), false);
  assert.equal(isAbandoned(name, { ...entry, kind: 'symlink' }, files), false);
  assert.equal(isAbandoned('key', entry, files), false);
});
