/** Machines that lack something: each run succeeds, or ends with an error code and leaves what was there. */
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { link, mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { keyFactsOf } from '../chaos/key-pairs.ts';
import { IDENTITY_FILES } from '../output-files.ts';
import { cannotMount, smallDisk } from '../small-disk.ts';
import { clusterForFile } from './embedded-cluster.ts';
import { listing } from './folder-listing.ts';
import { beginJob, type Job, type RunChanges } from './job.ts';
import { errorReport } from './refusal.ts';

const cluster = await clusterForFile();

/** Runs the bundle after these commands of a shell. */
const after = (commands: string): RunChanges => ({ within: ['sh', '-c', `${commands}; exec "$@"`, 'sh'] });
const withVariable = (name: string, value: string): RunChanges => ({
  environment: { [name]: value },
  asProcess: true,
});

const UNHARMED: readonly (readonly [what: string, changes: RunChanges])[] = [
  ['a heap of 64 MB', withVariable('NODE_OPTIONS', '--max-old-space-size=64')],
  ['28 open files', after('ulimit -n 28')],
  ['the umask 000', after('umask 000')],
  ['the umask 777', after('umask 777')],
  ['a closed standard input', after('exec <&-')],
  ['closed outputs', after('exec >&- 2>&-')],
  ['all standard streams closed', after('exec <&- >&- 2>&-')],
  ['ignored signals', after("trap '' PIPE TERM INT HUP")],
  ['a folder for temporary files that does not exist', withVariable('TMPDIR', '/nonexistent')],
  ['a folder for temporary files that takes none', withVariable('TMPDIR', '/proc')],
];

/** What others can read may not contain a key, and nothing temporary is left. */
async function assertWhole(job: Job): Promise<void> {
  const files = await listing(job.folder);
  const names = [...files.keys()].map((name) => name.split('/').at(-1) ?? '');
  assert.deepEqual(
    names.filter((name) => /^\.machine-id\.|\.tmp$/.test(name)),
    [],
  );
  const written = new Map([...files].filter(([name]) => name.startsWith('identity/')));
  for (const [name, text] of written) assert.match(text, /^0600 /, name);
  const contents = [...written].map(([name, text]) => [name, text.slice('0600 '.length)] as const);
  assert.deepEqual(keyFactsOf(new Map(contents)).problems, []);
  for (const name of IDENTITY_FILES) assert.ok(written.has(`identity/${name}`), name);
}

describe('a run works as always', { concurrency: 2 }, () => {
  for (const [what, changes] of UNHARMED) {
    test(`with ${what}`, async (t) => {
      const job = await beginJob(t, cluster);
      const { exitCode, stderr } = await job.run(job.flags, changes);
      assert.equal(exitCode, 0, stderr);
      await assertWhole(job);
    });
  }

  test('where programs cannot be executed', { skip: cannotMount }, async (t) => {
    const job = await beginJob(t, cluster);
    const disk = await smallDisk(t, { kibibytes: 256 });
    disk.forbidPrograms();
    const flags = [...job.flags.slice(0, -1), join(disk.path, 'identity')];
    const { exitCode, stderr } = await job.run(flags);
    assert.equal(exitCode, 0, stderr);
    assert.ok(existsSync(join(disk.path, 'identity', 'key')));
  });

  test('and leaves alone the file that an existing one is a second name of', async (t) => {
    const job = await beginJob(t, cluster);
    const other = join(job.folder, 'other');
    await writeFile(other, 'of another program\n', { mode: 0o600 });
    await mkdir(job.destination, { mode: 0o700 });
    for (const name of ['key', '.write-test']) await link(other, join(job.destination, name));
    const { exitCode, stderr } = await job.run(job.flags);
    assert.equal(exitCode, 0, stderr);
    assert.equal(await readFile(other, 'utf8'), 'of another program\n');
    await assertWhole(job);
  });
});

const LONGEST_NAME = 'n'.repeat(250);

describe('a run that cannot write fails with the reason, and changes nothing', { concurrency: 2 }, () => {
  test('with a limit on the size of files', async (t) => {
    const job = await beginJob(t, cluster);
    const { exitCode } = await job.run(job.flags);
    assert.equal(exitCode, 0);
    const before = await listing(job.destination);
    // One block: large enough for $BASH_ENV, too small for the identity file.
    const report = errorReport(await job.run([...job.flags, '--no-export'], after('ulimit -f 1')));
    assert.equal(report.code, 'DESTINATION_UNWRITABLE');
    assert.match(report.message, /EFBIG/);
    assert.deepEqual(await listing(job.destination), before);
  });

  for (const [what, segments] of [
    ['longer than the system allows', 17],
    ['that leaves no room for the names of files', 16],
  ] as const) {
    test(`with a path ${what}`, async (t) => {
      const job = await beginJob(t, cluster);
      const longest = [job.folder, ...Array.from({ length: segments }, () => LONGEST_NAME)].join('/');
      const path = segments === 17 ? longest : longest.padEnd(4090, '/n');
      const flags = [...job.flags.slice(0, -1), path];
      const report = errorReport(await job.run(flags));
      assert.equal(report.code, 'DESTINATION_UNWRITABLE');
      assert.match(report.message, /ENAMETOOLONG/);
    });
  }
});
