import assert from 'node:assert/strict';
import test from 'node:test';
import { MachineIdError } from '../../src/errors.ts';
import { withProxyCause } from '../../src/net/egress-cause.ts';
import { authFailure, proxyFailure } from '../../src/net/failures.ts';

const PLACE = { host: 'teleport.example.com', port: 443 };
const PROXY = 'http://somebody:hunter2@proxy.example.com:3128';
const NAME = 'the HTTP proxy http://proxy.example.com:3128 (HTTPS_PROXY)';
const UNREACHED = ['ENOTFOUND', 'EAI_AGAIN', 'ETIMEDOUT', 'EHOSTUNREACH', 'ECONNRESET'];

function systemError(code: string): Error {
  return Object.assign(new Error(`connect ${code} 192.0.2.1:443`), { code });
}

function causesOf(error: MachineIdError, environment: Readonly<Record<string, string>>): readonly string[] {
  const { code, likelyCauses, message } = withProxyCause(error, environment);
  assert.deepEqual([code, message], [error.code, error.message]);
  assert.doesNotMatch(likelyCauses.join(), /hunter2|somebody/);
  return likelyCauses;
}

test('for a server that is not reached, it is the first likely cause how the proxy takes part', () => {
  for (const code of UNREACHED) {
    const error = proxyFailure(PLACE, systemError(code));
    for (const [environment, first] of [
      [{ HTTPS_PROXY: PROXY }, `the connection goes through ${NAME}, which may block or change it`],
      [
        { HTTPS_PROXY: PROXY, no_proxy: 'x, Example.com:443' },
        'HTTPS_PROXY is set, but is not used for teleport.example.com:443, because no_proxy contains "example.com:443"',
      ],
    ] as const) {
      const [cause, ...rest] = causesOf(error, environment);
      assert.equal(cause, first);
      assert.ok(rest.length > 0 && !rest.some((one) => one.includes('HTTP or SOCKS proxy')), rest.join('; '));
    }
    assert.ok(
      causesOf(error, {}).includes('this network requires an HTTP or SOCKS proxy: set HTTPS_PROXY to its address'),
    );
  }
});

test('for other servers, a variable that is only for the cluster is named', () => {
  const unreached = { host: 'cdn.example.com', port: 443, for: 'https' } as const;
  const error = new MachineIdError('TOOLS_UNREACHABLE', 'm', { hint: 'h', unreached });
  assert.deepEqual(causesOf(error, { HTTP_PROXY: PROXY }), [
    'HTTP_PROXY is set, but is not used for cdn.example.com:443: set HTTPS_PROXY, which counts for all servers',
  ]);
  assert.match(causesOf(error, { ALL_PROXY: PROXY })[0] ?? '', /^the connection goes through .* \(ALL_PROXY\)/);
});

test('a certificate of another authority is of the proxy, if the connection goes through one', () => {
  for (const error of [
    proxyFailure(PLACE, systemError('UNABLE_TO_GET_ISSUER_CERT_LOCALLY')),
    authFailure({ address: PLACE, isDirect: false }, systemError('SELF_SIGNED_CERT_IN_CHAIN')),
  ]) {
    const [first, ...rest] = causesOf(error, { HTTPS_PROXY: PROXY });
    assert.equal(
      first,
      `${NAME} intercepts TLS and presents its own certificate: let it pass these connections on unchanged`,
    );
    assert.equal(rest.length, error.likelyCauses.length - 1);
    assert.equal(withProxyCause(error, { HTTPS_PROXY: PROXY, NO_PROXY: '*' }), error);
  }
});

test('the silence of a server has the causes of the network, after what the variables have to do with it', () => {
  const silent = new MachineIdError('TIMEOUT', 'm', { hint: 'h', unreached: PLACE });
  const [firewall, ...rest] = causesOf(silent, {});
  assert.match(firewall ?? '', /^a firewall drops packets/);
  assert.match(rest.at(-1) ?? '', /set HTTPS_PROXY/);
  const [first, second] = causesOf(silent, { HTTPS_PROXY: PROXY, NO_PROXY: '*' });
  assert.match(first ?? '', /^HTTPS_PROXY is set, but is not used/);
  assert.equal(second, firewall);
  const reached = new MachineIdError('TIMEOUT', 'm', { hint: 'h', unreached: { ...PLACE, isReachable: true } });
  assert.equal(withProxyCause(reached, {}), reached);
});

test('other failures stay as they are, and those that a proxy has no part in', () => {
  const expired = proxyFailure({ host: 'localhost', port: 443 }, systemError('ECONNREFUSED'));
  assert.equal(withProxyCause(expired, { HTTPS_PROXY: PROXY }), expired, 'a loopback address has no other way');
  const auth = authFailure({ address: PLACE, isDirect: false }, systemError('ECONNRESET'));
  assert.equal(withProxyCause(auth, { HTTPS_PROXY: PROXY, NO_PROXY: '*' }), auth, 'the Proxy was reached directly');
  assert.match(causesOf(auth, { HTTPS_PROXY: PROXY })[0] ?? '', /^the connection goes through the HTTP proxy/);
  const own = new MachineIdError('EGRESS_PROXY_FAILED', 'm', { hint: 'h', unreached: PLACE });
  const around = new MachineIdError('OUTPUTS_FAILED', 'all', { hint: 'h', cause: own });
  for (const error of [own, around]) assert.equal(withProxyCause(error, { HTTPS_PROXY: PROXY }), error);
});

test('it is added to what goes around the failure, once', () => {
  const last = proxyFailure(PLACE, systemError('ETIMEDOUT')).with({ note: 'gave up', transient: undefined });
  const around = new MachineIdError('OUTPUTS_FAILED', 'all', { hint: 'h', cause: last, lines: ['one', 'two'] });
  const once = withProxyCause(around, { HTTPS_PROXY: PROXY });
  assert.deepEqual([once.message, once.likelyCauses.length], ['all\none\ntwo', 1]);
  assert.equal(withProxyCause(once, { HTTPS_PROXY: PROXY }), once);
});
