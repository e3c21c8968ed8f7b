import assert from 'node:assert/strict';
import test from 'node:test';
import { AuthService } from '../../src/teleport/gen/teleport/legacy/authservice_pb.ts';
import type { GrpcConnection } from '../../src/teleport/grpc.ts';
import { openReconnecting } from '../../src/teleport/reconnect.ts';

const { signal } = new AbortController();
const BROKEN = new Error('the connection broke');
const REFUSED = new Error('refused');
const DELAYS_MS = [300, 1000];

/** Connections whose calls come to what is listed for them, one list for each; the last list serves all later ones. */
function scripted(...scripts: readonly (readonly ('ok' | 'ok then broken' | Error)[] | Error)[]) {
  const events: string[] = [];
  let opened = 0;
  const open = (): Promise<GrpcConnection> => {
    const script = scripts[Math.min(opened, scripts.length - 1)] ?? [];
    opened += 1;
    const number = String(opened);
    events.push(`open ${number}`);
    if (script instanceof Error) return Promise.reject(script);
    const outcomes = [...script];
    return Promise.resolve({
      call: async (method) => {
        const outcome = outcomes.shift() ?? 'ok';
        events.push(`call ${number}`);
        await Promise.resolve();
        if (outcome instanceof Error) throw outcome;
        return method.output.empty();
      },
      stream: async function* (method) {
        const outcome = outcomes.shift() ?? 'ok';
        events.push(`call ${number}`);
        await Promise.resolve();
        if (outcome instanceof Error) throw outcome;
        yield method.output.empty();
        if (outcome === 'ok then broken') throw BROKEN;
      },
      close: () => events.push(`close ${number}`),
    });
  };
  const pauses: number[] = [];
  const clock = {
    nowMs: () => 0,
    elapsedMs: () => 0,
    sleep: (ms: number) => {
      pauses.push(ms);
      return Promise.resolve();
    },
  };
  const isBroken = (error: unknown) => error === BROKEN;
  const options = { open, isBroken, delaysMs: DELAYS_MS, onRetry: () => undefined, clock, signal };
  return { events, options, pauses };
}

function ping(connection: GrpcConnection, at = signal) {
  return connection.call(AuthService.ping, {}, { signal: at });
}

test('a call whose connection breaks is made again on the next one', async () => {
  const { events, options, pauses } = scripted(['ok', BROKEN], ['ok']);
  const connection = await openReconnecting(options);
  await ping(connection);
  await ping(connection);
  assert.deepEqual(events, ['open 1', 'call 1', 'call 1', 'close 1', 'open 2', 'call 2']);
  assert.deepEqual(pauses, [300]);
  connection.close();
  await Promise.resolve();
  assert.equal(events.at(-1), 'close 2');
});

test('calls that break together share the next connection', async () => {
  const { events, options, pauses } = scripted([BROKEN, BROKEN, BROKEN], ['ok']);
  const connection = await openReconnecting(options);
  await Promise.all([ping(connection), ping(connection), ping(connection)]);
  assert.deepEqual(
    events.filter((event) => !event.startsWith('call')),
    ['open 1', 'close 1', 'open 2'],
  );
  assert.deepEqual(pauses, [300]);
});

async function lengthOf(stream: AsyncIterable<unknown>): Promise<number> {
  let length = 0;
  for await (const answer of stream) length += answer === undefined ? 0 : 1;
  return length;
}

test('a stream from which nothing has come is begun again, when its requests are a list', async () => {
  const { events, options } = scripted([BROKEN, 'ok then broken'], ['ok', 'ok then broken', BROKEN]);
  const connection = await openReconnecting(options);
  const begin = (requests: Iterable<object>) => lengthOf(connection.stream(AuthService.ping, requests, { signal }));
  assert.equal(await begin([{}]), 1);
  assert.deepEqual(events, ['open 1', 'call 1', 'close 1', 'open 2', 'call 2']);
  await assert.rejects(begin([{}]), BROKEN, 'part of it has come');
  await assert.rejects(begin(new Set([{}]).values()), BROKEN, 'the requests are gone');
  assert.equal(events.filter((event) => event.startsWith('open')).length, 2);
});

test('an answer is an answer', async () => {
  const { events, options } = scripted([REFUSED]);
  await assert.rejects(ping(await openReconnecting(options)), REFUSED);
  assert.deepEqual(events, ['open 1', 'call 1']);
});

test('the pauses are for opening and for calls together, and then the failure stands', async () => {
  const { events, options, pauses } = scripted(BROKEN, [BROKEN], [BROKEN]);
  const connection = await openReconnecting(options);
  await assert.rejects(ping(connection), BROKEN);
  assert.deepEqual(events, ['open 1', 'open 2', 'call 2', 'close 2', 'open 3', 'call 3', 'close 3']);
  assert.deepEqual(pauses, DELAYS_MS);
  await assert.rejects(ping(connection), BROKEN, 'and for later calls too');
  assert.equal(events.filter((event) => event.startsWith('open')).length, 3);
});

test('a connection that cannot be had is not asked for again when another try cannot help', async () => {
  const { events, options } = scripted(REFUSED);
  await assert.rejects(openReconnecting(options), REFUSED);
  assert.deepEqual(events, ['open 1']);
});

test('nothing is opened again for a call that was given up, nor after the end', async () => {
  const { events, options } = scripted([BROKEN, BROKEN]);
  const connection = await openReconnecting(options);
  const controller = new AbortController();
  const given = ping(connection, controller.signal);
  controller.abort();
  await assert.rejects(given, { name: 'AbortError' });
  const late = ping(connection);
  connection.close();
  await assert.rejects(late, BROKEN);
  assert.deepEqual(
    events.filter((event) => event.startsWith('open')),
    ['open 1'],
  );
});
