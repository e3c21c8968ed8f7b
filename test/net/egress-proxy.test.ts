import assert from 'node:assert/strict';
import test from 'node:test';
import { egressRoute, proxyName, proxyUrl, readEgressProxies } from '../../src/net/egress-proxy.ts';

const PLACE = { host: 'teleport.example.com', port: 443 };
const PROXY = 'http://proxy.example.com:3128';

function chosen(environment: Readonly<Record<string, string>>, purpose: 'cluster' | 'https' = 'cluster') {
  const route = egressRoute(environment, PLACE, purpose);
  return route.kind === 'proxy' ? route.proxy : assert.fail('direct');
}

test('connections to the cluster use HTTPS_PROXY, else HTTP_PROXY, else ALL_PROXY, upper case first', () => {
  const names = ['HTTPS_PROXY', 'https_proxy', 'HTTP_PROXY', 'http_proxy', 'ALL_PROXY', 'all_proxy'];
  for (const [at, name] of names.entries()) {
    const rest = Object.fromEntries(names.slice(at).map((one) => [one, `http://${one.toLowerCase()}-${String(at)}:1`]));
    const unset = Object.fromEntries(names.slice(0, at).map((one, empty) => [one, ' '.repeat(empty % 2)]));
    assert.equal(chosen({ ...unset, ...rest }).variable, name);
  }
  assert.deepEqual(egressRoute({}, PLACE, 'cluster'), { kind: 'direct' });
});

test('requests to other servers use HTTPS_PROXY, else ALL_PROXY, and say which variable is not for them', () => {
  for (const name of ['HTTPS_PROXY', 'https_proxy', 'ALL_PROXY', 'all_proxy']) {
    assert.equal(chosen({ HTTP_PROXY: 'http://other:1', [name]: PROXY }, 'https').variable, name);
  }
  assert.deepEqual(egressRoute({ http_proxy: PROXY }, PLACE, 'https'), {
    kind: 'direct',
    because: { proxyVariable: 'http_proxy', by: 'other-purpose' },
  });
});

test('the value is a URL, or host and port for http', () => {
  for (const [value, url, login] of [
    ['http://a:3128', 'http://a:3128', undefined],
    ['a:3128', 'http://a:3128', undefined],
    ['a', 'http://a:80', undefined],
    ['a:', 'http://a:80', undefined],
    [' HTTP://A.example.com./ ', 'http://A.example.com.:80', undefined],
    ['https://a', 'https://a:443', undefined],
    ['socks5://a', 'socks5://a:1080', undefined],
    ['socks5h://a:9', 'socks5://a:9', undefined],
    ['http://[2001:db8::1]:3128', 'http://[2001:db8::1]:3128', undefined],
    ['http://192.0.2.1', 'http://192.0.2.1:80', undefined],
    ['http://bücher.example:8080/path?query#part', 'http://xn--bcher-kva.example:8080', undefined],
    ['http://user@a:1', 'http://a:1', ['user', '']],
    ['http://user:pass:word@a:1', 'http://a:1', ['user', 'pass:word']],
    ['user:p%40ss%2Fw%25rd@a:1', 'http://a:1', ['user', 'p@ss/w%rd']],
    ['socks5://us@er:p@ss@a', 'socks5://a:1080', ['us@er', 'p@ss']],
    ['http://:p@a', 'http://a:80', ['', 'p']],
  ] as const) {
    const proxy = chosen({ HTTPS_PROXY: value });
    assert.equal(proxyUrl(proxy), url);
    assert.deepEqual(proxy.login && [proxy.login.user.reveal(), proxy.login.password.reveal()], login);
  }
  assert.equal(proxyName(chosen({ https_proxy: 'user:hunter2@a:1' })), 'the HTTP proxy http://a:1 (https_proxy)');
  assert.equal(proxyName(chosen({ ALL_PROXY: 'socks5h://a' })), 'the SOCKS proxy socks5://a:1080 (ALL_PROXY)');
});

test('an invalid value is an error that names the variable and quotes no secret', () => {
  for (const [value, says] of [
    ['socks4://user:hunter2@a', /^the variable HTTPS_PROXY has the scheme "socks4", expected http, https, socks5 or/],
    ['ftp://hunter2', /scheme "ftp"/],
    ['http://', /is not the address of a proxy, expected \[scheme:\/\/\]/],
    ['http:///a', /is not the address/],
    ['http://user:hunter2', /is not the address/],
    ['http://user:hunter2@', /is not the address/],
    ['user:hun/ter2@a:1', /is not the address/],
    ['hunter2 hunter2', /is not the address/],
    ['http://a:0', /is not the address/],
    ['http://a:65536', /is not the address/],
    ['http://2001:db8::1:3128', /is not the address/],
    ['socks5:a:1080', /is not the address/],
    ['http://user:hunter2%@a', /invalid % sequence/],
    ['http://user:hunter2%ff@a', /invalid % sequence/],
    [`socks5://user:hunter2${'x'.repeat(250)}@a`, /more than 255 bytes/],
  ] as const) {
    for (const act of [() => chosen({ HTTPS_PROXY: value }), () => readEgressProxies({ HTTPS_PROXY: value })]) {
      assert.throws(act, (error) => {
        assert.ok(error instanceof Error && 'code' in error && 'hint' in error);
        assert.equal(error.code, 'EGRESS_PROXY_INVALID');
        assert.match(error.message, says);
        assert.match(String(error.hint), /^Set HTTPS_PROXY to /);
        assert.doesNotMatch(`${error.message} ${String(error.hint)}`, /hunter2|ter2/);
        return true;
      });
    }
  }
});

test('every variable that may count is checked, unless NO_PROXY excludes everything', () => {
  for (const environment of [
    { HTTPS_PROXY: 'x://y', NO_PROXY: 'example.com' },
    { HTTP_PROXY: 'x://y' },
    { HTTP_PROXY: 'a:1', ALL_PROXY: 'x://y' },
  ]) {
    assert.throws(() => readEgressProxies(environment), { code: 'EGRESS_PROXY_INVALID' });
    assert.deepEqual(readEgressProxies({ ...environment, NO_PROXY: 'a, *' }), []);
  }
  assert.deepEqual(readEgressProxies({ HTTPS_PROXY: 'a:1', HTTP_PROXY: 'x://y', ALL_PROXY: 'x://y' }).map(proxyUrl), [
    'http://a:1',
    'http://a:1',
  ]);
  assert.deepEqual(readEgressProxies({ NO_PROXY: 'a' }), []);
});

/** The table of the protocol reference, section 1.5. */
test('NO_PROXY excludes names, addresses, ranges and ports as Go reads it', () => {
  for (const [entries, host, port, entry] of [
    ['*', 'teleport.example.com', 443, '*'],
    ['a, * ,b', '192.0.2.1', 443, '*'],
    ['*:443', 'teleport.example.com', 443, undefined],
    ['example.com', 'example.com', 443, 'example.com'],
    ['example.com', 'a.b.example.com', 3080, 'example.com'],
    ['EXAMPLE.com', 'Teleport.Example.com', 443, 'example.com'],
    ['example.com', 'badexample.com', 443, undefined],
    ['.example.com', 'example.com', 443, undefined],
    ['.example.com', 'a.example.com', 443, '.example.com'],
    ['*.example.com', 'a.example.com', 443, '*.example.com'],
    ['*.example.com', 'example.com', 443, undefined],
    ['.example.com:443', 'a.example.com', 443, '.example.com:443'],
    ['*.example.com:443', 'a.example.com', 3080, undefined],
    ['example.com:443', 'example.com', 443, 'example.com:443'],
    ['example.com:443', 'example.com', 3080, undefined],
    ['example.com:0443', 'example.com', 443, undefined],
    ['example.com:', 'example.com', 3080, 'example.com:'],
    ['10.1.2.3', '10.1.2.3', 443, '10.1.2.3'],
    ['10.1.2.3', '::ffff:10.1.2.3', 443, '10.1.2.3'],
    ['::ffff:10.1.2.3', '10.1.2.3', 443, '::ffff:10.1.2.3'],
    ['10.1.2.3:443', '10.1.2.3', 443, '10.1.2.3:443'],
    ['10.1.2.3:443', '10.1.2.3', 3080, undefined],
    ['fe80::1', 'fe80::1', 443, 'fe80::1'],
    ['fe80:0::1', 'FE80::0:1', 443, 'fe80:0::1'],
    ['[fe80::1]:443', 'fe80::1', 443, '[fe80::1]:443'],
    ['[fe80::1]:443', 'fe80::1', 3080, undefined],
    ['[fe80::1]', 'fe80::1', 443, undefined],
    ['10.0.0.0/8', '10.1.2.3', 3080, '10.0.0.0/8'],
    ['10.9.9.9/8', '::ffff:10.1.2.3', 443, '10.9.9.9/8'],
    ['10.0.0.0/8', '11.1.2.3', 443, undefined],
    ['10.0.0.0/8:443', '10.1.2.3', 443, undefined],
    ['10.0.0.0/33', '10.1.2.3', 443, undefined],
    ['2001:db8::/32', '2001:db8::1', 443, '2001:db8::/32'],
    ['::/0', '10.1.2.3', 443, undefined],
    ['0.0.0.0/0', '2001:db8::1', 443, undefined],
    ['10.1.', '10.1.2.3', 443, undefined],
    ['*example.com', 'a.example.com', 443, undefined],
    ['a.com b.com', 'b.com', 443, undefined],
    [' a.com ,, b.com ', 'b.com', 443, 'b.com'],
    ['example.com', '10.1.2.3', 443, undefined],
    ['2.3', '10.1.2.3', 443, undefined],
    ['10.1.2.3', 'a.10.1.2.3.example.com', 443, undefined],
    ['example.com.', 'example.com', 443, undefined],
    ['example.com', 'example.com.', 443, undefined],
    ['example.com.', 'a.example.com.', 443, 'example.com.'],
    ['bücher.example', 'xn--bcher-kva.example', 443, 'bücher.example'],
    ['.bücher.example', 'a.bücher.example', 443, '.bücher.example'],
    [', :, :443, /, x/y, [, ]:1, http://a', 'a', 443, undefined],
    ['', 'example.com', 443, undefined],
  ] as const) {
    for (const list of ['NO_PROXY', 'no_proxy']) {
      const route = egressRoute({ HTTPS_PROXY: PROXY, [list]: entries }, { host, port }, 'cluster');
      const because = { proxyVariable: 'HTTPS_PROXY', by: { list, entry } };
      const expected = entry === undefined ? 'proxy' : { kind: 'direct', because };
      assert.deepEqual(route.kind === 'proxy' ? 'proxy' : route, expected, `${list}=${entries} for ${host}:${port}`);
    }
  }
  const both = { HTTPS_PROXY: PROXY, NO_PROXY: 'other.com', no_proxy: 'example.com' };
  assert.equal(egressRoute(both, PLACE, 'cluster').kind, 'proxy');
  assert.equal(egressRoute({ ...both, NO_PROXY: ' ' }, PLACE, 'cluster').kind, 'direct');
});

test('localhost and loopback addresses are always reached directly', () => {
  for (const [host, isDirect] of [
    ['localhost', true],
    ['LOCALHOST', false],
    ['a.localhost', false],
    ['localhost.', false],
    ['127.0.0.1', true],
    ['127.255.0.9', true],
    ['::1', true],
    ['::ffff:127.0.0.1', true],
    ['128.0.0.1', false],
    ['::2', false],
  ] as const) {
    const route = egressRoute({ HTTPS_PROXY: PROXY }, { host, port: 443 }, 'cluster');
    assert.equal(route.kind === 'direct', isDirect, host);
    if (route.kind === 'direct') assert.deepEqual(route.because, { proxyVariable: 'HTTPS_PROXY', by: 'loopback' });
  }
});
