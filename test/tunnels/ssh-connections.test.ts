import assert from 'node:assert/strict';
import test from 'node:test';
import type { BulkCall, BulkConnection } from '../../src/grpc/bulk.ts';
import { MAX_SESSIONS, openSshConnections } from '../../src/tunnels/ssh-connections.ts';
import { readTarget } from '../../src/tunnels/ssh-session.ts';

/** A Proxy that accepts connections, and the state of each. */
function proxy() {
  const connections: { readonly certificate: string; open: number; closed: boolean; accepts: boolean }[] = [];
  const dial = (certificate: string): Promise<BulkConnection> => {
    const state = { certificate, open: 0, closed: false, accepts: true };
    connections.push(state);
    return Promise.resolve({
      get acceptsCalls() {
        return state.accepts;
      },
      answered: Promise.resolve(),
      open: () => {
        state.open += 1;
        const call: BulkCall = {
          send: () => Promise.resolve(),
          end: () => undefined,
          // eslint-disable-next-line @typescript-eslint/require-await -- it has no messages
          messages: async function* () {
            yield [];
          },
          close: () => {
            state.open -= 1;
          },
        };
        return call;
      },
      close: () => {
        state.closed = true;
      },
    });
  };
  return { connections, dial };
}

test('a connection carries a hundred sessions, and the next one gets another', async () => {
  const { connections, dial } = proxy();
  const pool = openSshConnections({ current: () => 'first', dial });
  const calls = await Promise.all(Array.from({ length: MAX_SESSIONS + 1 }, () => pool.open('/path')));
  assert.deepEqual(
    connections.map(({ open }) => open),
    [MAX_SESSIONS, 1],
  );
  calls[0]?.close();
  calls[0]?.close();
  await pool.open('/path');
  assert.deepEqual(
    connections.map(({ open }) => open),
    [MAX_SESSIONS, 1],
  );
  pool.close();
  await Promise.resolve();
  assert.ok(connections.every(({ closed }) => closed));
});

test('a renewed certificate gets a new connection, and open sessions keep theirs', async () => {
  const { connections, dial } = proxy();
  let certificate = 'first';
  const pool = openSshConnections({ current: () => certificate, dial });
  await pool.open('/path');
  certificate = 'second';
  await pool.open('/path');
  assert.deepEqual(
    connections.map(({ certificate: used, closed, open }) => [used, open, closed]),
    [
      ['first', 1, false],
      ['second', 1, false],
    ],
  );
  pool.close();
});

test('a connection that has ended, or could not be opened, is not used again', async () => {
  const { connections, dial } = proxy();
  let failures = 1;
  const pool = openSshConnections({
    current: () => 'first',
    dial: (certificate) => (failures-- > 0 ? Promise.reject(new Error('refused')) : dial(certificate)),
  });
  await assert.rejects(pool.open('/path'), /refused/);
  await pool.open('/path');
  for (const connection of connections) connection.accepts = false;
  const again = pool.open('/path');
  await Promise.resolve();
  for (const connection of connections.slice(1)) connection.accepts = true;
  await again;
  assert.equal(connections.length, 2);
  pool.close();
});

test('a client names the node as OpenSSH does, with or without the cluster', () => {
  const place = { clusterName: 'example.com', proxyHost: 'proxy.example.net' };
  const rows = [
    ['web-1.example.com:3022', 'web-1', 3022, 'example.com'],
    ['web-1:22|leaf.example.org', 'web-1', 22, 'leaf.example.org'],
    ['web-1.leaf.example.org:22|leaf.example.org', 'web-1', 22, 'leaf.example.org'],
    ['web-1.proxy.example.net:22', 'web-1', 22, 'example.com'],
  ] as const;
  for (const [text, host, port, cluster] of rows) {
    assert.deepEqual(readTarget(text, place), { host, port, cluster, login: '' }, text);
  }
  for (const text of ['', 'web-1:22|', 'web-1:22|a|b', 'web 1:22', 'web-1:x']) {
    assert.equal(readTarget(text, place), undefined, text);
  }
});
