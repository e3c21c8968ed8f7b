import assert from 'node:assert/strict';
import { createServer, type Server, type Socket } from 'node:net';
import { describe, test, type TestContext } from 'node:test';
import { createServer as createTlsServer } from 'node:tls';
import fetch from 'node-fetch';
import { dialTls } from '../../src/net/dial.ts';
import { describeError, networkFailure, type NetworkFailure } from '../../src/net/network-error.ts';
import { network } from '../direct-network.ts';
import { selfSigned } from '../tls-certificate.ts';

const { certificate, key } = await selfSigned('localhost');

/** In OpenSSL's format, as Node reports it. */
function openssl(code: string, reason: string): Error {
  const message = `80AC2D53247F0000:error:0A00010B:SSL routines:ssl3_get_record:${reason}:../deps/openssl/openssl/ssl/record/ssl3_record.c:350:\n`;
  return coded(code, message);
}

function coded(code: string, message = code): Error {
  return Object.assign(new Error(message), { code });
}

const CASES: readonly (readonly [Error, NetworkFailure['kind'], isTransient: boolean, says: string])[] = [
  [
    coded('ECONNREFUSED', 'connect ECONNREFUSED 192.0.2.1:443'),
    'unreachable',
    true,
    '192.0.2.1:443: the connection was refused (ECONNREFUSED)',
  ],
  [
    coded('ECONNREFUSED', 'request to https://a/ failed, reason: connect ECONNREFUSED ::1:443'),
    'unreachable',
    true,
    '::1:443: the connection was refused (ECONNREFUSED)',
  ],
  [
    coded('ECONNREFUSED', 'request to https://a/ failed, reason: '),
    'unreachable',
    true,
    'the connection was refused (ECONNREFUSED)',
  ],
  [coded('ECONNRESET', 'read ECONNRESET'), 'unreachable', true, 'the connection was reset (ECONNRESET)'],
  [
    coded('ECONNRESET', 'Client network socket disconnected before secure TLS connection was established'),
    'unreachable',
    true,
    'the connection was closed during the TLS handshake (ECONNRESET)',
  ],
  [
    coded('ECONNRESET', 'socket hang up'),
    'unreachable',
    true,
    'the connection was closed before a response arrived (ECONNRESET)',
  ],
  [coded('EHOSTUNREACH'), 'unreachable', true, 'there is no route to the host (EHOSTUNREACH)'],
  [
    coded('EACCES', 'connect EACCES 192.0.2.1:443 - Local (0.0.0.0:0)'),
    'unreachable',
    true,
    '192.0.2.1:443: a route or firewall of this machine prohibits the connection (EACCES)',
  ],
  [
    coded('ERR_STREAM_PREMATURE_CLOSE', 'Invalid response body while trying to fetch https://a/: Premature close'),
    'unreachable',
    true,
    'the connection was closed before the end of the response (ERR_STREAM_PREMATURE_CLOSE)',
  ],
  [
    coded('ENOTFOUND', 'getaddrinfo ENOTFOUND proxy.invalid'),
    'name',
    false,
    'proxy.invalid: the name does not exist (ENOTFOUND)',
  ],
  [
    coded('EAI_AGAIN', 'getaddrinfo EAI_AGAIN proxy.example.com'),
    'name',
    true,
    'proxy.example.com: the DNS server did not respond (EAI_AGAIN)',
  ],
  [
    coded('UNABLE_TO_VERIFY_LEAF_SIGNATURE', 'unable to verify the first certificate'),
    'untrusted',
    false,
    'unable to verify the first certificate (UNABLE_TO_VERIFY_LEAF_SIGNATURE)',
  ],
  [
    openssl('ERR_SSL_WRONG_VERSION_NUMBER', 'wrong version number'),
    'wrong-protocol',
    false,
    'the server does not speak TLS (ERR_SSL_WRONG_VERSION_NUMBER)',
  ],
  [openssl('EPROTO', 'some new fault'), 'wrong-protocol', false, 'TLS failed: some new fault (EPROTO)'],
  [
    openssl('ERR_SSL_TLSV1_ALERT_NO_APPLICATION_PROTOCOL', 'tlsv1 alert no application protocol'),
    'wrong-protocol',
    false,
    "the server accepts none of Teleport's ALPN protocols (ERR_SSL_TLSV1_ALERT_NO_APPLICATION_PROTOCOL)",
  ],
  [
    openssl('ERR_SSL_UNEXPECTED_EOF_WHILE_READING', 'unexpected eof while reading'),
    'unreachable',
    true,
    'the connection was closed without ending TLS (ERR_SSL_UNEXPECTED_EOF_WHILE_READING)',
  ],
  [
    openssl('ERR_SSL_TLSV1_ALERT_INTERNAL_ERROR', 'tlsv1 alert internal error'),
    'unreachable',
    true,
    'the server reports an internal error (ERR_SSL_TLSV1_ALERT_INTERNAL_ERROR)',
  ],
  [
    openssl('ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED', 'tlsv13 alert certificate required'),
    'refused-by-peer',
    false,
    'the server requires a client certificate (ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED)',
  ],
  [
    openssl('ERR_SSL_TLSV1_ALERT_UNKNOWN_CA', 'tlsv1 alert unknown ca'),
    'refused-by-peer',
    false,
    'TLS failed: tlsv1 alert unknown ca (ERR_SSL_TLSV1_ALERT_UNKNOWN_CA)',
  ],
  [
    coded('HPE_INVALID_CONSTANT', 'Parse Error: Expected HTTP/'),
    'wrong-protocol',
    false,
    'the server does not speak HTTP (HPE_INVALID_CONSTANT)',
  ],
  [
    coded('HPE_INVALID_EOF_STATE', 'Parse Error'),
    'unreachable',
    true,
    'the connection was closed before the end of the response (HPE_INVALID_EOF_STATE)',
  ],
  [new Error('the call\r\nwas ended'), 'unreachable', true, 'the call was ended'],
  [coded('ERR_OF_TOMORROW', ''), 'unreachable', true, 'ERR_OF_TOMORROW'],
  [
    new AggregateError([coded('ECONNREFUSED', 'connect ECONNREFUSED ::1:1')], ''),
    'unreachable',
    true,
    '::1:1: the connection was refused (ECONNREFUSED)',
  ],
];

for (const [error, kind, isTransient, says] of CASES) {
  test(`${says}: ${kind}, ${isTransient ? 'may pass' : 'final'}`, () => {
    assert.deepEqual(networkFailure(error), { kind, detail: says, isTransient });
    assert.deepEqual(networkFailure(new Error('outer', { cause: error })), { kind, detail: says, isTransient });
  });
}

test('a thrown value is described in one line even if it is not an error', () => {
  assert.equal(describeError('a\nb'), 'a b');
  assert.equal(networkFailure(undefined).detail, 'undefined');
});

/** What peers do to a handshake, so that the errors come from Node itself. */
const PEERS: readonly (readonly [what: string, server: () => Server, NetworkFailure['kind']])[] = [
  ['closes', () => createServer((socket) => socket.end()), 'unreachable'],
  ['resets', () => createServer((socket) => socket.resetAndDestroy()), 'unreachable'],
  ['answers in HTTP', () => createServer((socket) => socket.end('HTTP/1.1 400 Bad Request\r\n\r\n')), 'wrong-protocol'],
  ['answers rubbish', () => createServer((socket) => socket.end('x'.repeat(1000))), 'wrong-protocol'],
  ['knows none of the protocols', () => tls({ ALPNProtocols: ['http/1.1'] }), 'wrong-protocol'],
  ['speaks TLS 1.1 alone', () => tls({ maxVersion: 'TLSv1.1', minVersion: 'TLSv1' }), 'wrong-protocol'],
  ['has another certificate', () => tls({}), 'untrusted'],
];

function tls(options: Parameters<typeof createTlsServer>[0]): Server {
  const server = createTlsServer({ cert: certificate, key, ...options });
  return server.on('tlsClientError', () => undefined);
}

async function listen(t: TestContext, server: Server): Promise<number> {
  const sockets: Socket[] = [];
  server.on('connection', (socket) => {
    sockets.push(socket.on('error', () => undefined));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(() => {
    server.close();
    for (const socket of sockets) socket.destroy();
  });
  const address = server.address();
  assert.ok(address !== null && typeof address === 'object');
  return address.port;
}

describe('an error of Node is one line without the names of OpenSSL, when the peer', () => {
  for (const [what, server, kind] of PEERS) {
    test(what, async (t) => {
      const port = await listen(t, server());
      const address = { host: '127.0.0.1', port };
      const { signal } = new AbortController();
      const dialled = await dialTls({ network, address, alpn: ['teleport-proxy-grpc'], signal }).catch(
        (error: unknown) => error,
      );
      const fetched = await fetch(`https://127.0.0.1:${String(port)}/`).catch((error: unknown) => error);
      assert.ok(dialled instanceof Error && fetched instanceof Error);
      assert.equal(networkFailure(dialled).kind, kind, networkFailure(dialled).detail);
      for (const { detail } of [networkFailure(dialled), networkFailure(fetched)]) {
        assert.doesNotMatch(detail, /[\r\n]|error:|routines|deps|\.c:/);
        assert.match(detail, /^[a-zA-Z0-9].*[a-z].* \([A-Z][A-Z0-9_]+\)$/);
      }
    });
  }
});
