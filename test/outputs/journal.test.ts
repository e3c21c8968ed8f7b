import assert from 'node:assert/strict';
import test from 'node:test';
import { createLog } from '../../src/effects/log.ts';
import { openJournal, type RunPlan } from '../../src/outputs/journal.ts';

const PLAN: RunPlan = {
  address: { kind: 'proxy', value: 'example.com:443', host: 'example.com', port: 443 },
  useProxyAddr: false,
  insecure: false,
  debug: true,
  logFormat: 'text',
  tokenRequest: { joinMethod: 'circleci' },
  heartbeat: true,
};

function journalAt(startMs: number) {
  let nowMs = startMs;
  const pass = (durationMs: number) => {
    nowMs += durationMs;
  };
  const lines: string[] = [];
  const write = (line: string) => lines.push(line);
  const journal = openJournal({ elapsedMs: () => nowMs }, (plan) =>
    createLog(write, { format: plan?.logFormat ?? 'text', debug: plan?.debug ?? false, nowMs: () => 0 }),
  );
  return { journal, lines, pass };
}

test('spans overlap, count from the opening of the journal, and are listed in the order of their beginning', async () => {
  const { journal, pass } = journalAt(1000.4);
  pass(5);
  let end: () => void = () => undefined;
  const first = journal.step('join', () => new Promise<void>((resolve) => (end = resolve)));
  await journal.outputStep('second', () => {
    pass(10.3);
    return Promise.resolve();
  });
  pass(1);
  end();
  await first;
  assert.deepEqual(journal.spans(), [
    { kind: 'cluster', name: 'Join', startMs: 5, endMs: 16, outcome: 'done' },
    { kind: 'output', name: 'second', startMs: 5, endMs: 15, outcome: 'done' },
  ]);
});

test('a step whose work rejects has failed, and its error is passed on', async () => {
  const { journal, lines, pass } = journalAt(0);
  const refused = new Error('refused');
  const work = () => {
    pass(7);
    return Promise.reject(refused);
  };
  await assert.rejects(
    journal.step('join', work, () => ({ facts: { bot: 'ci' }, message: 'joined' })),
    refused,
  );
  assert.deepEqual(journal.spans(), [{ kind: 'cluster', name: 'Join', startMs: 0, endMs: 7, outcome: 'failed' }]);
  assert.deepEqual([journal.facts(), journal.timingsMs(), lines], [{}, { total: 7 }, []]);
});

test('a step that has not ended is unfinished and lasts until now', async () => {
  const { journal, pass } = journalAt(0);
  let end: () => void = () => undefined;
  const step = journal.step('keys', () => new Promise<void>((resolve) => (end = resolve)));
  pass(3);
  assert.deepEqual(journal.spans(), [{ kind: 'job', name: 'Keys', startMs: 0, endMs: 3, outcome: 'unfinished' }]);
  end();
  await step;
  pass(3);
  assert.deepEqual(journal.spans(), [{ kind: 'job', name: 'Keys', startMs: 0, endMs: 3, outcome: 'done' }]);
});

test('the end of a step is a fact, a line with the time, and a timing, in one call', async () => {
  const { journal, lines, pass } = journalAt(0);
  const work = () => {
    pass(120);
    return Promise.resolve('ci');
  };
  await journal.step('join', work, (bot) => ({ facts: { bot }, message: `joined as bot ${bot}` }));
  pass(5);
  assert.deepEqual(lines, ['[  120 ms] joined as bot ci\n']);
  assert.deepEqual(journal.facts(), { bot: 'ci' });
  assert.deepEqual(journal.timingsMs(), { join: 120, total: 125 });
});

test('the parts of outputs are timed, and their lines are for --debug, which the plan says', () => {
  const { journal, lines } = journalAt(0);
  journal.outputDone('write', 'not shown');
  journal.note({ plan: PLAN });
  journal.outputDone('write', 'shown');
  assert.deepEqual(lines, ['debug: [    0 ms] shown\n']);
  assert.deepEqual(journal.timingsMs(), { write: 0, total: 0 });
});

test('a fact that is noted later does not remove what was known', () => {
  const { journal } = journalAt(0);
  journal.note({ cluster: 'a', bot: 'ci' });
  journal.note({ cluster: 'b' });
  assert.deepEqual(journal.facts(), { cluster: 'b', bot: 'ci' });
});
