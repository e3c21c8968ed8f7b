import assert from 'node:assert/strict';
import test from 'node:test';
import { isTransientGrpcStatus, isTransientHttpStatus, RETRY_POLICY } from '../../src/effects/retry.ts';
import { grpcStatus } from '../../src/grpc/status.ts';
import { textOf } from './documents.ts';
import { sections, tableRows } from './markdown.ts';

const section = sections(textOf('docs/explanation/how-it-works.md')).find(
  ({ heading }) => heading === 'What is retried',
);
const text = section?.text.replaceAll(/\s+/g, ' ') ?? '';
const rows = tableRows(section?.text ?? '');

/** The statuses of the rows that begin with `words` and say that it is retried. */
function triedAgain(words: RegExp): readonly string[] {
  return rows
    .filter(([what = '', follows = '']) => words.test(what) && follows.startsWith('Retried'))
    .flatMap(([what = '']) => what.match(/\b\d{3}\b|\b(?!AWS\b)[A-Z_]{5,}\b/g) ?? []);
}

const HTTP_STATUSES = Array.from({ length: 500 }, (_, at) => at + 100);
const passing = (server: 'Teleport' | 'other') =>
  HTTP_STATUSES.filter((one) => isTransientHttpStatus(one, server)).map(String);

test('docs/explanation/how-it-works.md names the HTTP statuses that are retried', () => {
  assert.deepEqual(triedAgain(/^HTTP \d+,/), passing('Teleport'));
  assert.deepEqual([...triedAgain(/^HTTP \d+ of AWS/), ...triedAgain(/^HTTP \d+,/)].sort(), passing('other').sort());
});

test('docs/explanation/how-it-works.md names the gRPC statuses that are retried', () => {
  const named = Array.from({ length: 17 }, (_, number) => grpcStatus(number))
    .filter(isTransientGrpcStatus)
    .map((name) => name.replaceAll(/(?<=[a-z])(?=[A-Z])/g, '_').toUpperCase());
  assert.deepEqual([...triedAgain(/^gRPC/)].sort(), named.sort());
});

test('docs/explanation/how-it-works.md gives the deadlines and the pauses of the policy', () => {
  const { agentPauseMs, agentTimeoutMs, agentTries } = RETRY_POLICY;
  const { deadlineMs, doctorDeadlineMs, firstPauseMs, lastTryMs, longestPauseMs } = RETRY_POLICY;
  for (const sentence of [
    `until the deadline: ${deadlineMs / 1000} seconds from the start of the run`,
    `the first is at most ${firstPauseMs / 1000} seconds long`,
    `up to ${longestPauseMs / 1000} seconds`,
    `The last attempt starts at the latest ${lastTryMs / 1000} second before the deadline (a fifth of a deadline below ${(lastTryMs * 5) / 1000} seconds)`,
    `up to ${agentTries} times with pauses of ${agentPauseMs / 1000} second, and it may take ${agentTimeoutMs / 1000} seconds to respond`,
    `\`doctor\` has a deadline of ${doctorDeadlineMs / 1000} seconds`,
  ]) {
    assert.ok(text.includes(sentence), sentence);
  }
});
