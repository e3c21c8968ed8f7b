import assert from 'node:assert/strict';
import test from 'node:test';
import { timeline } from '../../src/commands/run-page-timeline.ts';
import type { Span } from '../../src/outputs/result.ts';

function span(name: string, startMs: number, endMs: number): Span {
  return { kind: 'job', name, startMs, endMs, outcome: 'done' };
}

function labels(totalMs: number): readonly string[] {
  return [...timeline([], totalMs).text.matchAll(/class="tick"[^>]*>([^<]*)/g)].map(([, label = '']) => label);
}

test('bars start and end with their parts', () => {
  const { text } = timeline([span('a', 0, 50), span('b', 25, 200), span('c', 200, 200)], 200);
  assert.deepEqual(
    [...text.matchAll(/class="bar job done" x="([^"]*)" style="([^"]*)"/g)].map(([, ...place]) => place),
    [
      ['0.00%', 'width:max(3px,25.00%)'],
      ['12.50%', 'width:max(3px,87.50%)'],
      ['100.00%', 'width:max(3px,0.00%)'],
    ],
  );
});

test('the axis has round numbers, few enough for a narrow page', () => {
  assert.deepEqual(labels(0), ['0 ms']);
  assert.deepEqual(labels(3), ['0 ms', '1 ms', '2 ms']);
  assert.deepEqual(labels(130), ['0 ms', '50 ms', '100 ms']);
  assert.deepEqual(labels(30_000), ['0 ms', '10000 ms', '20000 ms']);
  for (let totalMs = 0; totalMs < 5000; totalMs += 7) assert.ok(labels(totalMs).length <= 4, String(totalMs));
});

test('a name that is too long for the timeline is shortened there, and complete in its title', () => {
  const name = 'a-name-of-an-output-that-goes-on-and-on';
  const { text } = timeline([span(name, 0, 1)], 1);
  assert.match(text, /<text class="name">a-name-of-an-output-th…</);
  assert.ok(text.includes(`<title>${name}: 0 to 1 ms</title>`));
});
