import assert from 'node:assert/strict';
import test, { after } from 'node:test';
import { connect, createServer, type TLSSocket } from 'node:tls';
import { selfSigned } from '../tls-certificate.ts';
import { type Fault, WAYS, type WireFault } from './fault.ts';
import { listening } from './listening.ts';
import { Relay } from './relay.ts';

const { certificate, key } = await selfSigned('localhost');
const server = createServer({ cert: certificate, key }, (socket) => {
  socket.on('error', () => undefined).pipe(socket);
});
const target = await listening(server);
const relay = await Relay.start({ targets: () => ({ web: target, ssh: 0, kube: 0, tunnel: 0 }) });
after(() => {
  relay.close();
  server.close();
});

const SENT = Buffer.alloc(4000, 'sent and returned ');

function open(): TLSSocket {
  return connect({ port: relay.port('web'), host: '127.0.0.1', ca: certificate, servername: 'localhost' });
}

/** What comes back until the connection ends. */
async function echoThrough(fault: Fault | undefined) {
  relay.begin(() => fault);
  const socket = open();
  const received: Buffer[] = [];
  socket.on('data', (bytes: Buffer) => {
    received.push(bytes);
    if (Buffer.concat(received).length >= SENT.length) socket.end();
  });
  socket.write(SENT);
  await closed(socket);
  const [passage] = relay.passages;
  return { received: Buffer.concat(received), isSpoiled: passage?.isSpoiled, passage };
}

/** With an error, after which Node may leave the connection open, or without. */
async function closed(socket: TLSSocket): Promise<void> {
  await new Promise((resolve) => socket.once('close', resolve).on('error', resolve));
  socket.destroy();
}

const faultOf = (kind: WireFault, change: Partial<Fault> = {}): Fault => ({
  ...{ kind, way: 'down', afterBytes: 0, seed: 1 },
  ...change,
});

test('a relay that spoils nothing passes everything on and sees server name and bytes', async () => {
  const { isSpoiled, passage, received } = await echoThrough(undefined);
  assert.deepEqual(received, SENT);
  assert.equal(isSpoiled, false);
  assert.equal(passage?.hello.serverName, 'localhost');
  assert.ok(passage.bytes.up > SENT.length && passage.bytes.down > SENT.length);
});

for (const kind of ['latency', 'jitter', 'bandwidth', 'slicer'] as const) {
  test(`${kind}: everything arrives, in order`, async () => {
    const { isSpoiled, received } = await echoThrough(faultOf(kind));
    assert.deepEqual(received, SENT);
    assert.equal(isSpoiled, true);
  });
}

for (const kind of ['reset', 'close', 'garbage', 'cut-record'] as const) {
  // Garbage in the header of a record may announce more bytes than ever come.
  for (const afterBytes of kind === 'garbage' ? [0, 3000] : [0, 100, 3000]) {
    for (const way of WAYS) {
      test(`${kind} after ${afterBytes} bytes ${way}: the connection ends before everything has arrived`, async () => {
        const { isSpoiled, received } = await echoThrough(faultOf(kind, { afterBytes, way }));
        assert.ok(received.length < SENT.length);
        assert.equal(isSpoiled, true);
      });
    }
  }
}

for (const kind of ['half-open', 'stall', 'drip'] as const) {
  test(`${kind}: the connection stays open, although nothing useful arrives`, async () => {
    const echo = echoThrough(faultOf(kind, { afterBytes: 200 }));
    while (relay.passages[0]?.isSpoiled !== true) await new Promise(setImmediate);
    assert.equal(relay.open.length, 1);
    relay.end();
    assert.equal((await echo).received.length, 0);
  });
}

test('the relay sees when a client closes a stalled connection', async () => {
  relay.begin(() => faultOf('stall'));
  const socket = open();
  socket.on('error', () => undefined);
  while (relay.passages[0]?.isSpoiled !== true) await new Promise(setImmediate);
  socket.destroy();
  while (relay.open.length > 0) await new Promise(setImmediate);
  assert.equal(relay.passages.length, 1);
});
