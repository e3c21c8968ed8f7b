import assert from 'node:assert/strict';
import test from 'node:test';
import { MachineIdError } from '../../src/errors.ts';
import { proxyFailure } from '../../src/net/failures.ts';
import { proxyCause, withProxyCause } from '../../src/net/proxy-variables.ts';

const PLACE = { host: 'teleport.example.com', port: 443 };
const PROXY = 'http://proxy.example.com:3128';

function systemError(code: string): Error {
  return Object.assign(new Error(`connect ${code} 192.0.2.1:443`), { code });
}

test('each variable is read, the first that is set counts', () => {
  for (const name of ['HTTPS_PROXY', 'https_proxy', 'ALL_PROXY', 'all_proxy', 'HTTP_PROXY', 'http_proxy']) {
    assert.equal(
      proxyCause({ [name]: PROXY, HTTPS_PROXY: name === 'HTTPS_PROXY' ? PROXY : ' ' }, PLACE),
      `${name} is set (${PROXY}), but this version does not use it: teleport.example.com:443 must be reachable directly`,
    );
  }
  assert.match(proxyCause({ http_proxy: 'a:1', HTTPS_PROXY: 'b:2' }, PLACE) ?? '', /^HTTPS_PROXY is set \(b:2\)/);
  assert.equal(proxyCause({}, PLACE), undefined);
});

test('user and password are never shown, however the value is written', () => {
  for (const [value, shown] of [
    ['http://user:hunter2@proxy.example.com:3128', '(http://proxy.example.com:3128)'],
    ['user:hunter2@proxy.example.com:3128', '(proxy.example.com:3128)'],
    ['http://user:hunter2@hunter2@proxy.example.com', '(http://proxy.example.com)'],
    ['http://user:hun/ter2?hunter2#@[2001:db8::1]:3128/', '(http://[2001:db8::1]:3128)'],
    ['socks5://hunter2@proxy.example.com/?token=hunter2', '(socks5://proxy.example.com)'],
    ['http://user:hunter2', ''],
    ['http://user:hunter2@', ''],
    ['hunter2 hunter2', ''],
  ] as const) {
    const cause = proxyCause({ HTTPS_PROXY: value }, PLACE) ?? '';
    assert.ok(cause.startsWith(`HTTPS_PROXY is set${shown === '' ? ',' : ` ${shown}`}`), cause);
    assert.ok(!cause.includes('hunter2') && !cause.includes('ter2'), cause);
  }
});

test('NO_PROXY excepts names, addresses and ranges as Go reads it', () => {
  for (const [entries, host, excepted] of [
    ['*', 'teleport.example.com', true],
    ['example.com', 'teleport.example.com', true],
    ['EXAMPLE.com', 'Teleport.example.com', true],
    ['example.com', 'badexample.com', false],
    ['.example.com', 'example.com', false],
    ['.example.com', 'a.example.com', true],
    ['*.example.com', 'a.example.com', true],
    ['*example.com', 'a.example.com', false],
    ['other.com, example.com', 'a.example.com', true],
    ['example.com:443', 'example.com', true],
    ['example.com:3080', 'example.com', false],
    ['192.0.2.1', '192.0.2.1', true],
    ['192.0.2.0/24', '192.0.2.1', true],
    ['192.0.3.0/24', '192.0.2.1', false],
    ['2001:db8::/32', '2001:db8::1', true],
    ['2001:db8::1', '2001:db8:0::1', true],
    ['[2001:db8::1]:443', '2001:db8::1', true],
    ['192.0.2.0/240, x/y, :, /', 'example.com', false],
    ['', 'example.com', false],
  ] as const) {
    for (const name of ['NO_PROXY', 'no_proxy']) {
      const cause = proxyCause({ HTTPS_PROXY: PROXY, [name]: entries }, { host, port: 443 });
      assert.equal(cause === undefined, excepted, `${name}=${entries} for ${host}`);
    }
  }
});

test('it is the first likely cause where a place is not reached, and of nothing else', () => {
  const environment = { https_proxy: PROXY };
  for (const code of ['ENOTFOUND', 'EAI_AGAIN', 'ECONNREFUSED', 'ETIMEDOUT', 'EHOSTUNREACH', 'ECONNRESET']) {
    const before = proxyFailure(PLACE, systemError(code));
    const { likelyCauses, message } = withProxyCause(before, environment);
    assert.equal(message, before.message);
    assert.match(likelyCauses[0] ?? '', /^https_proxy is set/);
    assert.ok(likelyCauses.length > 1);
    assert.ok(!likelyCauses.slice(1).some((cause) => cause.includes('HTTP proxy')), likelyCauses.join('; '));
  }
  for (const code of ['CERT_HAS_EXPIRED', 'ERR_SSL_WRONG_VERSION_NUMBER']) {
    const before = proxyFailure(PLACE, systemError(code));
    assert.equal(withProxyCause(before, environment), before);
  }
  const last = proxyFailure(PLACE, systemError('ECONNREFUSED')).with({ note: 'gave up', transient: undefined });
  const around = new MachineIdError('OUTPUTS_FAILED', 'all', { hint: 'h', cause: last, lines: ['one', 'two'] });
  const { code, likelyCauses, message } = withProxyCause(around, environment);
  assert.deepEqual([code, message, likelyCauses.length], ['OUTPUTS_FAILED', 'all\none\ntwo', 1]);
});
