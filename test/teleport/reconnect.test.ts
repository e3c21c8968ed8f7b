import assert from 'node:assert/strict';
import test from 'node:test';
import { MachineIdError } from '../../src/errors.ts';
import type { GrpcConnection } from '../../src/grpc/client.ts';
import { AuthService } from '../../src/grpc/gen/teleport/legacy/authservice_pb.ts';
import { type NextConnection, openReconnecting, type Reconnecting } from '../../src/teleport/auth-connection.ts';
import { fakeClock } from '../effects/fake-clock.ts';
import { testRetries } from '../effects/retries.ts';

const { signal } = new AbortController();
const BROKEN = transient('AUTH_UNREACHABLE', 'the connection broke');
const UNAVAILABLE = transient('RPC_FAILED', 'unavailable');
const BUSY = transient('RPC_FAILED', 'busy');
const REFUSED = new MachineIdError('AUTH_DENIED', 'refused', { hint: 'ask' });

function transient(code: 'AUTH_UNREACHABLE' | 'RPC_FAILED', message: string): MachineIdError {
  return new MachineIdError(code, message, { hint: 'wait', transient: {} });
}

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
  const clock = fakeClock();
  const next = (error: MachineIdError): NextConnection => {
    if (error === BROKEN) return 'other, this one is broken';
    return error === UNAVAILABLE ? 'other' : 'same';
  };
  const retries = testRetries({ clock, deadlineMs: 3000 });
  return { events, options: { open, next, retries, signal }, pauses: clock.waitsMs, lines: retries.lines };
}

function ping(connection: Reconnecting) {
  return connection.attempts(() => connection.call(AuthService.ping, {}, { signal }));
}

test('a call whose connection breaks is made again on the next one', async () => {
  const { events, options, pauses } = scripted(['ok', BROKEN], ['ok']);
  const connection = await openReconnecting(options);
  await ping(connection);
  await ping(connection);
  assert.deepEqual(events, ['open 1', 'call 1', 'call 1', 'close 1', 'open 2', 'call 2']);
  assert.deepEqual(pauses, [500]);
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
  assert.deepEqual(pauses, [500]);
});

async function lengthOf(stream: AsyncIterable<unknown>): Promise<number> {
  let length = 0;
  for await (const answer of stream) length += answer === undefined ? 0 : 1;
  return length;
}

test('a stream that breaks is read again from its beginning', async () => {
  const { events, options } = scripted([BROKEN], ['ok then broken'], ['ok']);
  const connection = await openReconnecting(options);
  const read = () => lengthOf(connection.stream(AuthService.ping, [{}], { signal }));
  assert.equal(await connection.attempts(read), 1);
  assert.deepEqual(events, ['open 1', 'call 1', 'close 1', 'open 2', 'call 2', 'close 2', 'open 3', 'call 3']);
});

test('an answer is an answer', async () => {
  const { events, options } = scripted([REFUSED]);
  await assert.rejects(ping(await openReconnecting(options)), REFUSED);
  assert.deepEqual(events, ['open 1', 'call 1']);
});

test('a limit on calls is waited for on the same connection', async () => {
  const { events, options, pauses } = scripted([BUSY, BUSY, 'ok']);
  await ping(await openReconnecting(options));
  assert.deepEqual(events, ['open 1', 'call 1', 'call 1', 'call 1']);
  assert.deepEqual(pauses, [500, 1000]);
});

test('a server that is not available is tried on another connection, and the first carries its other calls to their end', async () => {
  const { events, options } = scripted([UNAVAILABLE], ['ok']);
  const connection = await openReconnecting(options);
  await ping(connection);
  assert.deepEqual(events, ['open 1', 'call 1', 'open 2', 'call 2']);
  connection.close();
  await Promise.resolve();
  assert.deepEqual(events.slice(-2), ['close 1', 'close 2']);
});

test('opening and calls share the deadline, and after it the error is final', async () => {
  const { events, lines, options, pauses } = scripted(BROKEN, [BROKEN], [BROKEN]);
  const connection = await openReconnecting(options);
  await assert.rejects(ping(connection), {
    code: 'AUTH_UNREACHABLE',
    message: /^the connection broke; gave up after 4 tries/,
  });
  assert.equal(events.filter((event) => event.startsWith('open')).length, 5);
  assert.deepEqual(pauses, [500, 500, 1000, 400]);
  assert.equal(lines[1], 'the connection broke; trying again in 0.5 s (2.5 s left)');
  await assert.rejects(ping(connection), /the connection broke; gave up after 4 tries/, 'and for later calls too');
  assert.equal(events.filter((event) => event.startsWith('open')).length, 5);
});

test('a connection that cannot be had is not asked for again when another try cannot help', async () => {
  const { events, options } = scripted(REFUSED);
  await assert.rejects(openReconnecting(options), REFUSED);
  assert.deepEqual(events, ['open 1']);
});

test('nothing is opened again after the end', async () => {
  const { events, options } = scripted([BROKEN]);
  const ended = new AbortController();
  const connection = await openReconnecting({ ...options, signal: ended.signal });
  const late = ping(connection);
  connection.close();
  ended.abort(new Error('closed'));
  await assert.rejects(late, /closed/);
  assert.deepEqual(
    events.filter((event) => event.startsWith('open')),
    ['open 1'],
  );
});
