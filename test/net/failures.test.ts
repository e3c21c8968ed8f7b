import assert from 'node:assert/strict';
import test from 'node:test';
import { MachineIdError } from '../../src/errors.ts';
import { answeredBy, authFailure, proxyFailure, transportFailure } from '../../src/net/failures.ts';

const ADDRESS = { host: 'proxy.example.com', port: 443 };

function coded(code: string, message = code): Error {
  return Object.assign(new Error(message), { code });
}

const FAULTS: [string, Error, string, string][] = [
  ['a name that is unknown', coded('ENOTFOUND'), 'PROXY_UNREACHABLE', 'AUTH_UNREACHABLE'],
  ['a refused connection', coded('ECONNREFUSED'), 'PROXY_UNREACHABLE', 'AUTH_UNREACHABLE'],
  [
    'a certificate of an unknown authority',
    coded('UNABLE_TO_VERIFY_LEAF_SIGNATURE'),
    'PROXY_UNTRUSTED',
    'AUTH_UNTRUSTED',
  ],
  ['a certificate that has expired', coded('CERT_HAS_EXPIRED'), 'PROXY_UNTRUSTED', 'AUTH_UNTRUSTED'],
  ['a certificate of another name', coded('ERR_TLS_CERT_ALTNAME_INVALID'), 'PROXY_UNTRUSTED', 'AUTH_UNTRUSTED'],
  [
    'a refused client certificate',
    coded('ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED'),
    'PROXY_UNREACHABLE',
    'AUTH_DENIED',
  ],
  [
    'several addresses of which none answers',
    new AggregateError([coded('ECONNREFUSED', 'refused ::1')]),
    'PROXY_UNREACHABLE',
    'AUTH_UNREACHABLE',
  ],
];

for (const [name, fault, proxyCode, authCode] of FAULTS) {
  test(`${name} is distinguished at the Proxy and at the Auth Service, also below other errors`, () => {
    for (const error of [fault, new Error('outer', { cause: new Error('middle', { cause: fault }) })]) {
      assert.equal(proxyFailure(ADDRESS, error).code, proxyCode);
      assert.equal(authFailure({ address: ADDRESS, isDirect: false }, error).code, authCode);
      assert.equal(proxyFailure(ADDRESS, error).cause, error);
    }
  });
}

test('an error that says already what happened passes through', () => {
  const error = new MachineIdError('TIMEOUT', 'late', { hint: 'wait' });
  assert.equal(proxyFailure(ADDRESS, error), error);
  assert.equal(authFailure({ address: ADDRESS, isDirect: false }, error), error);
});

test('what is known about upgrades is the first likely cause, and the first thing to do', () => {
  const note = { cause: 'the test failed', hint: 'Set it.' };
  const cause = coded('UNABLE_TO_VERIFY_LEAF_SIGNATURE');
  const place = { address: ADDRESS, isDirect: false };
  for (const error of [authFailure(place, cause, note), transportFailure(ADDRESS, cause, note)]) {
    const { hint, likelyCauses } = error;
    assert.equal(likelyCauses[0], note.cause);
    assert.match(hint, /^Set it\. Exempt /);
  }
});

test("a server's own name is quoted, without what could change a terminal", () => {
  assert.deepEqual(answeredBy(undefined), []);
  assert.match(answeredBy('nginx\u001b[2J')[0] ?? '', /which calls itself "nginx \[2J"$/);
});

test("against a wrong certificate of the Auth Service no authority's PEM is asked for", () => {
  for (const code of ['DEPTH_ZERO_SELF_SIGNED_CERT', 'UNABLE_TO_VERIFY_LEAF_SIGNATURE', 'HOSTNAME_MISMATCH']) {
    const { hint, likelyCauses, message } = authFailure({ address: ADDRESS, isDirect: false }, coded(code));
    assert.match(message, /terminates TLS and drops Teleport's ALPN/);
    assert.match(hint, /layer 4/);
    assert.doesNotMatch(likelyCauses.join(), /PEM/);
  }
  assert.match(proxyFailure(ADDRESS, coded('DEPTH_ZERO_SELF_SIGNED_CERT')).likelyCauses[0] ?? '', /pass its PEM/);
  assert.match(
    authFailure({ address: ADDRESS, isDirect: false }, coded('CERT_NOT_YET_VALID')).likelyCauses[0] ?? '',
    /clock/,
  );
});
