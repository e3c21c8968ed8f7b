import assert from 'node:assert/strict';
import { appendFile, mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import test, { type TestContext } from 'node:test';
import { systemFiles } from '../../src/effects/files.ts';
import type { Processes } from '../../src/effects/processes.ts';
import { findLeftovers } from '../../src/job/left-over.ts';
import { openManifest, recordBackground, type Writer } from '../../src/job/manifest.ts';
import { temporaryFolder } from '../temporary-folder.ts';

const NOW_MS = Date.UTC(2026, 5, 1);
const HOUR_MS = 3_600_000;
const SERVICE = '10 runner';
const AGENT = '20 agent of job-2';
const STEP = '30 step of job-2';
const WRITER: Writer = { scope: 'here', processes: [STEP, AGENT, SERVICE], endsMs: NOW_MS + HOUR_MS };

function noWarning(message: string): never {
  throw new Error(message);
}

interface Scene {
  readonly writer?: Writer | undefined;
  readonly job?: string;
  /** Undefined where they cannot be listed. */
  readonly processes?: Partial<Processes> | undefined;
  readonly nowMs?: number;
}

/** What job-3 finds of a job that has written `key`. */
async function verdict(t: TestContext, { job = 'job-2', nowMs = NOW_MS, writer = WRITER, ...scene }: Scene) {
  const home = await temporaryFolder(t);
  const environment = { HOME: home, TMPDIR: home };
  const path = join(home, 'key');
  await writeFile(path, 'key');
  const manifest = openManifest(systemFiles, { ...environment, CIRCLE_WORKFLOW_JOB_ID: job }, noWarning, writer);
  await manifest.files([{ path, contents: 'key', temporaries: [] }]);
  const nothing = {
    scope: 'here',
    ancestors: ['40 step of job-3', SERVICE],
    isRunning: () => false,
    withVariable: () => undefined,
    self: '41 cleanup of job-3',
    hasVariable: () => false,
    leadsSession: () => false,
    send: () => false,
  };
  const processes =
    'processes' in scene && scene.processes === undefined ? undefined : { ...nothing, ...scene.processes };
  const found = await findLeftovers({
    files: systemFiles,
    environment: { ...environment, CIRCLE_WORKFLOW_JOB_ID: 'job-3' },
    listProcesses: () => Promise.resolve(processes),
    nowMs,
  });
  assert.equal(found.length, 1);
  assert.deepEqual(found[0]?.files, [path]);
  return `${found[0].ended ? 'ended' : 'left alone'}: ${found[0].reason}`;
}

const SCENES: readonly (readonly [what: string, scene: Scene, expected: RegExp])[] = [
  ['none of its processes runs', {}, /^ended: none of its processes/],
  ['the service that started both jobs runs', { processes: { isRunning: (name) => name === SERVICE } }, /^ended/],
  [
    'its agent runs, between two steps',
    { processes: { isRunning: (name) => name === AGENT || name === SERVICE } },
    /^left alone: its process 20 is still running$/,
  ],
  [
    'a process has its id in the environment',
    {
      processes: {
        withVariable: (name, value) => (`${name}=${value}` === 'CIRCLE_WORKFLOW_JOB_ID=job-2' ? '50 x' : undefined),
      },
    },
    /^left alone: its process 50 is still running$/,
  ],
  [
    'it ran in another container',
    { processes: { scope: 'there' } },
    /^left alone: its processes are not visible from here/,
  ],
  ['processes cannot be listed', { processes: undefined }, /^left alone: .* may be valid until 2026-06-01T01:00:00Z$/],
  [
    'neither can be, and its certificates have ended',
    { processes: undefined, nowMs: NOW_MS + HOUR_MS },
    /^ended: its certificates/,
  ],
  [
    'its certificates have ended, and a process of it goes on',
    { processes: { isRunning: (name) => name === AGENT }, nowMs: NOW_MS + HOUR_MS },
    /^ended: its certificates/,
  ],
  ['a run without a job', { job: '' }, /^left alone: it was not a CircleCI job, and its certificates may be valid/],
  ['a run without a job, long ago', { job: '', nowMs: NOW_MS + HOUR_MS }, /^ended: its certificates/],
];

for (const [what, scene, expected] of SCENES) {
  test(`whether a job has ended: ${what}`, async (t) => {
    assert.match(await verdict(t, scene), expected);
  });
}

test('a list without a heading counts by its age', async (t) => {
  const home = await temporaryFolder(t);
  const state = join(home, '.teleport-machine-id');
  await mkdir(state, { mode: 0o700 });
  const entry = { file: join(home, 'key'), sha256: 'x', temporaries: [] };
  await writeFile(join(home, 'key'), 'key');
  await appendFile(join(state, 'written-old-0.jsonl'), `\n${JSON.stringify(entry)}\n`);
  const find = async (nowMs: number) =>
    findLeftovers({
      files: systemFiles,
      environment: { HOME: home, TMPDIR: home },
      listProcesses: () => Promise.resolve(undefined),
      nowMs,
    });
  assert.equal((await find(Date.now()))[0]?.ended, false);
  assert.equal((await find(Date.now() + 8 * 24 * HOUR_MS))[0]?.ended, true);
});

test('a keeper or tunnel that outlives its job is left too, and does not show that the job still runs', async (t) => {
  const home = await temporaryFolder(t);
  const environment = { HOME: home, TMPDIR: home };
  const status = join(home, 'keeper.json');
  await writeFile(status, '{}');
  const keeper = '60 keeper of job-2';
  const files = { name: 'a', scope: 'here', status, log: '' };
  const entry = { background: 'keeper', processName: keeper, ...files } as const;
  await recordBackground(systemFiles, { ...environment, CIRCLE_WORKFLOW_JOB_ID: 'job-2' }, entry, WRITER);
  const processes: Processes = {
    scope: 'here',
    ancestors: ['40 step of job-3', SERVICE],
    self: '41 run of job-3',
    isRunning: (name) => name === keeper || name === SERVICE,
    withVariable: (_name, _value, except = []) => [keeper].find((name) => !except.includes(name)),
    hasVariable: () => false,
    leadsSession: () => false,
    send: () => false,
  };
  const [found] = await findLeftovers({
    files: systemFiles,
    environment: { ...environment, CIRCLE_WORKFLOW_JOB_ID: 'job-3' },
    listProcesses: () => Promise.resolve(processes),
    nowMs: NOW_MS,
  });
  assert.deepEqual([found?.files, found?.ended], [[status], true]);
});

test('a job of which no file is left is not reported', async (t) => {
  const home = await temporaryFolder(t);
  const environment = { HOME: home, TMPDIR: home };
  const manifest = openManifest(systemFiles, { ...environment, CIRCLE_WORKFLOW_JOB_ID: 'job-2' }, noWarning, WRITER);
  await manifest.files([{ path: join(home, 'gone'), contents: '', temporaries: [] }]);
  const listProcesses = () => assert.fail('nothing to decide');
  assert.deepEqual(await findLeftovers({ files: systemFiles, environment, listProcesses, nowMs: NOW_MS }), []);
});
