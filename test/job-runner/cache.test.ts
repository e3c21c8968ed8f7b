import assert from 'node:assert/strict';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { stringify } from 'yaml';
import { temporaryFolder } from '../temporary-folder.ts';
import { runJob, type JobResult } from './run-job.ts';

const KEY = 'v1-{{ arch }}-{{ checksum "~/lock" }}-{{ .Environment.FLAVOUR }}';

function restore(key: string): unknown {
  return { restore_cache: { key } };
}

function save(key: string, path = '~/kept'): unknown {
  return { save_cache: { key, paths: [path] } };
}

function run(steps: readonly unknown[], home: string, cacheStore: string): Promise<JobResult> {
  const config = stringify({ version: 2.1, jobs: { work: { machine: true, steps } } });
  return runJob({ config, job: 'work', home, cacheStore, environment: { FLAVOUR: 'plain' } });
}

const WRITE = { run: 'echo "$HOME" >~/lock; mkdir -p ~/kept; echo one >~/kept/file; chmod 700 ~/kept/file' };

test('a job restores what another has saved under the same key, with file modes', async (context) => {
  const folder = await temporaryFolder(context);
  const saved = await run([WRITE, restore(KEY), save(KEY)], folder, folder);
  assert.deepEqual(
    saved.steps.map(({ name, stdout }) => `${name}: ${stdout.split(' ').slice(0, 2).join(' ')}`.trim()),
    [`${WRITE.run}:`, 'Restoring cache: No cache', 'Saving cache: Stored Cache'],
  );
  const found = await run(
    [{ run: 'rm -r ~/kept' }, restore(KEY), { run: 'cat ~/kept/file; stat -c %a ~/kept/file' }],
    folder,
    folder,
  );
  assert.equal(found.steps.at(-1)?.stdout, 'one\n700\n');
});

test('a cache is not overwritten, and another key is a separate cache', async (context) => {
  const [home, store] = [await temporaryFolder(context), await temporaryFolder(context)];
  await run([WRITE, save('a-1')], home, store);
  const again = await run([save('a-1'), save('a-2')], home, store);
  assert.match(again.steps[0]?.stdout ?? '', /already exists/);
  assert.deepEqual((await readdir(store)).sort(), ['a-1', 'a-2']);
});

test('a key finds a cache whose key begins with it', async (context) => {
  const [home, store] = [await temporaryFolder(context), await temporaryFolder(context)];
  const { steps } = await run([WRITE, save('a-1'), { restore_cache: { keys: ['b', 'a-'] } }], home, store);
  assert.equal(steps.at(-1)?.stdout, 'Found a cache: a-1\n');
});

test('a checksum of a file that is missing fails the step', async (context) => {
  const folder = await temporaryFolder(context);
  const { exitCode } = await run(
    [restore('{{ checksum "missing" }}'), { run: 'exit 0' }],
    folder,
    join(folder, 'store'),
  );
  assert.equal(exitCode, 1);
});

test('without a store, caches last as long as their job', async (context) => {
  const home = await temporaryFolder(context);
  const config = stringify({
    version: 2.1,
    jobs: { work: { machine: true, steps: [WRITE, save('a'), restore('a')] } },
  });
  const { steps } = await runJob({ config, job: 'work', home });
  assert.equal(steps.at(-1)?.stdout, 'Found a cache: a\n');
  assert.equal((await runJob({ config, job: 'work', home })).steps[1]?.stdout, 'Stored Cache to a\n');
});
