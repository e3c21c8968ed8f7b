import assert from 'node:assert/strict';
import test, { type TestContext } from 'node:test';
import { watchLiveness } from '../../src/grpc/liveness.ts';

/** The times as they are in use, on a clock that the test moves. */
function watch(t: TestContext) {
  t.mock.timers.enable({ apis: ['setInterval'] });
  const seen: string[] = [];
  const state = { isBusy: true };
  const liveness = watchLiveness({
    isBusy: () => state.isBusy,
    ping: () => seen.push('ping'),
    onLost: ({ message }) => seen.push(message),
  });
  t.after(() => {
    liveness.end();
  });
  const silence = (seconds: number) => {
    t.mock.timers.tick(seconds * 1000);
  };
  return { ...liveness, seen, state, silence };
}

const LOST = 'the connection was lost: the server did not respond to a ping within 15 s';

test('a server that falls silent during a call is pinged once and then counts as lost', (t) => {
  const { seen, silence } = watch(t);
  silence(4);
  assert.deepEqual(seen, []);
  silence(6);
  assert.deepEqual(seen, ['ping']);
  silence(9);
  assert.deepEqual(seen, ['ping']);
  silence(6);
  assert.deepEqual(seen, ['ping', LOST]);
});

test('a connection without a call is neither pinged nor lost', (t) => {
  const { seen, silence, state } = watch(t);
  state.isBusy = false;
  silence(3600);
  assert.deepEqual(seen, []);
});

test('a server that sends bytes every few seconds is not pinged', (t) => {
  const { onBytes, seen, silence } = watch(t);
  for (let times = 0; times < 100; times += 1) {
    silence(4);
    onBytes();
  }
  assert.deepEqual(seen, []);
});

test('a server that answers nothing but pings gets at most one in five minutes', (t) => {
  const { onBytes, seen, silence } = watch(t);
  for (let pings = 1; pings < 10; pings += 1) {
    while (seen.length < pings) silence(5);
    onBytes();
    silence(5 * 60);
    assert.deepEqual(
      seen,
      Array.from({ length: pings }, () => 'ping'),
    );
  }
});

test('a silence after headers or data may be asked again', (t) => {
  const { onResponse, onBytes, seen, silence } = watch(t);
  silence(10);
  onBytes();
  onResponse();
  silence(10);
  assert.deepEqual(seen, ['ping', 'ping']);
});
