import assert from 'node:assert/strict';
import test from 'node:test';
import { StreamSlots } from '../../src/grpc/stream-slots.ts';

const NEVER = new AbortController().signal;

function taker(slots: StreamSlots) {
  const taken: string[] = [];
  const take = (name: string, signal = NEVER) => {
    const taking = slots.take(signal).then(() => taken.push(name));
    taking.catch(() => undefined);
    return taking;
  };
  return { taken, take };
}

async function settle(): Promise<void> {
  await new Promise((resolve) => setImmediate(resolve));
}

test('any number of streams may be opened until the server has set a limit', async () => {
  const slots = new StreamSlots();
  const { take, taken } = taker(slots);
  await Promise.all(['a', 'b', 'c'].map((name) => take(name)));
  assert.deepEqual(taken, ['a', 'b', 'c']);
});

test('streams above the limit wait, first come first served', async () => {
  const slots = new StreamSlots();
  slots.limit(1);
  const { take, taken } = taker(slots);
  for (const name of ['a', 'b', 'c']) void take(name);
  await settle();
  assert.deepEqual(taken, ['a']);
  slots.release();
  await settle();
  assert.deepEqual(taken, ['a', 'b']);
});

test('the limit may change while streams wait, also to none at all', async () => {
  const slots = new StreamSlots();
  slots.limit(0);
  const { take, taken } = taker(slots);
  for (const name of ['a', 'b', 'c']) void take(name);
  await settle();
  assert.deepEqual(taken, []);
  slots.limit(2);
  await settle();
  assert.deepEqual(taken, ['a', 'b']);
  slots.limit(0);
  slots.release();
  slots.release();
  await settle();
  assert.deepEqual(taken, ['a', 'b']);
  slots.limit(1);
  await settle();
  assert.deepEqual(taken, ['a', 'b', 'c']);
});

test('a wait that is given up takes no stream', async () => {
  const slots = new StreamSlots();
  slots.limit(0);
  const { take, taken } = taker(slots);
  const controller = new AbortController();
  const given = take('a', controller.signal);
  void take('b');
  controller.abort(new Error('given up'));
  await assert.rejects(given, /given up/);
  slots.limit(1);
  await settle();
  assert.deepEqual(taken, ['b']);
  await assert.rejects(slots.take(controller.signal), /given up/);
});

test('a refusal lowers the limit to what is open, and never below one', async () => {
  const slots = new StreamSlots();
  const { take, taken } = taker(slots);
  await Promise.all([take('a'), take('b')]);
  slots.release();
  slots.refused();
  void take('c');
  await settle();
  assert.deepEqual(taken, ['a', 'b']);
  slots.release();
  slots.refused();
  await settle();
  assert.deepEqual(taken, ['a', 'b', 'c']);
});

test('the end of the connection ends every wait and every later one', async () => {
  const slots = new StreamSlots();
  slots.limit(0);
  const { take } = taker(slots);
  const waiting = take('a');
  slots.end(new Error('over'));
  slots.end(new Error('later'));
  await assert.rejects(waiting, /^Error: over/);
  await assert.rejects(take('b'), /^Error: over/);
});
