/** Fuzzes JSON from a Proxy and from CircleCI: ping, errors, joins, tokens. */
import assert from 'node:assert/strict';
import fc from 'fast-check';
import { checkJwtSvid } from '../../src/auth/svid.ts';
import { Secret } from '../../src/effects/secret.ts';
import { checkClaims } from '../../src/job/oidc-check.ts';
import { decodeClaims } from '../../src/job/oidc-claims.ts';
import { acceptJoin } from '../../src/join/bot-identity.ts';
import { joinLegacy, PROXY_ENDPOINT } from '../../src/join/legacy.ts';
import { joinRefusal } from '../../src/join/refusal.ts';
import { errorText } from '../../src/net/error-text.ts';
import { kubeEndpoint } from '../../src/teleport/kube-endpoint.ts';
import { parsePing, parseServerVersion } from '../../src/teleport/ping.ts';
import { suiteName } from '../../src/teleport/suite.ts';
import { jsonLike, textLike } from './mutations.ts';
import { fuzz } from './property.ts';
import { CLUSTER, clusterSamples, keyLine, pemBlock } from './samples.ts';

const ASKED = { host: 'proxy.example.com', port: 443 };
const facts = {
  tokenName: 'ci',
  joinMethod: 'circleci' as const,
  organizationId: 'o',
  projectId: 'p',
  contextIds: ['c'],
  proxy: 'proxy.example.com:443',
  audiences: ['o'],
  vcsRef: undefined,
  issuedAtMs: 0,
  expiresAtMs: 3_600_000,
  checkedAtMs: 1000,
};

const PING = {
  cluster_name: 'root.example.com',
  server_version: '18.2.4',
  edition: 'ent',
  fips: false,
  auto_update: { tools_version: '18.2.4', tools_auto_update: true },
  auth: { signature_algorithm_suite: 2 },
  proxy: {
    tls_routing_enabled: false,
    kube: { enabled: true, public_addr: 'kube.example.com:3026', listen_addr: '0.0.0.0:3026' },
    ssh: { listen_addr: '[::]:3023', web_listen_addr: '0.0.0.0:3080', public_addr: 'a:443', ssh_public_addr: 'b:3023' },
  },
};

fuzz(
  'what a Proxy says of its cluster is taken or refused',
  jsonLike(PING),
  (body) => {
    const cluster = parsePing(body, ASKED);
    const { clusterName, release, serverVersion, sshAddress, webAddress } = cluster;
    assert.match(clusterName, /^[\p{L}\p{N}][\p{L}\p{N}._:-]*$/u);
    assert.match(`${serverVersion.text} ${release.toolsVersion}`, /^[0-9A-Za-z.+-]+ [0-9A-Za-z.+-]+$/);
    for (const { host, port } of [webAddress, sshAddress]) {
      assert.match(host, /^[0-9A-Za-z._:%-]+$/);
      assert.ok(Number.isInteger(port) && port > 0 && port < 65_536);
    }
    kubeEndpoint(cluster);
  },
  { runs: 1500 },
);

const TRACE = { error: { message: 'access denied' }, message: 'x', traces: [{ path: 'a.go' }] };

fuzz(
  'an error of the web API becomes a refusal in one line',
  fc.tuple(jsonLike(TRACE), fc.boolean()),
  ([body, isDenied]) => {
    const text = errorText(body);
    assert.ok(text === undefined || text.length <= 501);
    throw joinRefusal(text ?? body, isDenied, facts);
  },
  { runs: 500, mayRefuseAll: true },
);

const words = ['token expired or not found', 'does not allow ', ' bot role', 'only supports method', 'malformed jwt'];

fuzz('any text of a server becomes a refusal', textLike(words, words), (text) => {
  assert.equal(typeof joinRefusal(text, true, facts).hint, 'string');
});

fuzz(
  'a version and a suite are read or not',
  textLike(['18.2.4', 'v19.0.0-dev+a', 'SIGNATURE_ALGORITHM_SUITE_HSM_V1']),
  (text) => {
    const version = parseServerVersion(text);
    assert.ok(version === undefined || (Number.isInteger(version.major) && version.text !== ''));
    assert.equal(suiteName(text), suiteName(text).toLowerCase());
  },
);

const cluster = await clusterSamples();
const { hostTls, keyPair, ssh, tls, userTls } = cluster;
const base64 = (text: string) => Buffer.from(text).toString('base64');
const certs = {
  ssh: base64(keyLine(ssh)),
  tls: base64(pemBlock(tls)),
  tls_ca_certs: [base64(pemBlock(hostTls)), base64(pemBlock(userTls))],
  ssh_ca_certs: null,
};

fuzz(
  'the answer of the registration endpoint makes a bot or is refused',
  fc.tuple(fc.constantFrom(200, 200, 200, 200, 403, 500, 302, 0), jsonLike(certs)),
  async ([status, body]) => {
    const web = {
      address: ASKED,
      get: () => Promise.reject(new Error('nothing is asked')),
      postJson: () => Promise.resolve({ status, body }),
      close: () => undefined,
    };
    const joined = await joinLegacy(
      { web, endpoint: PROXY_ENDPOINT },
      { facts, jwt: new Secret('x'), keyPair, expiresAtMs: 0 },
    );
    assert.ok(joined !== undefined, 'only "path not found" means that there is no endpoint');
    const bot = acceptJoin(joined, { keyPair, clusterName: CLUSTER, askedMs: Infinity, nowMs: Date.now() });
    assert.deepEqual([bot.userName, bot.botName, bot.clusterName], ['bot-ci', 'ci', CLUSTER]);
    assert.deepEqual(bot.hostAuthorities.includes(pemBlock(userTls)), false);
  },
  { runs: 1000 },
);

const jwtOf = (header: unknown, claims: string) =>
  `${Buffer.from(JSON.stringify(header)).toString('base64url')}.${Buffer.from(claims).toString('base64url')}.c2ln`;
const NOW_SECONDS = Math.floor(Date.now() / 1000);
const SVID = { sub: `spiffe://${CLUSTER}/ci/a`, aud: ['a', 'b'], exp: NOW_SECONDS + 3600 };

fuzz(
  'a JWT SVID is taken or refused',
  fc.oneof(
    jsonLike(SVID).map((claims) => jwtOf({ alg: 'RS256' }, claims)),
    textLike([jwtOf({ alg: 'RS256' }, JSON.stringify(SVID))], ['.', '=', 'e30']),
  ),
  (jwt) => {
    const expected = { audiences: SVID.aud, trustDomain: CLUSTER, askedMs: Infinity, nowMs: Date.now() };
    const svid = checkJwtSvid({ jwt, spiffeId: SVID.sub }, expected);
    assert.match(svid.jwt.reveal(), /^[\w.-]+$/);
    assert.ok(Number.isFinite(svid.expiresAtMs));
  },
  { runs: 1000 },
);

const OIDC = {
  iss: 'https://oidc.circleci.com/org/0a1b',
  aud: '0a1b',
  sub: 'org/0a1b/project/c/user/d',
  iat: NOW_SECONDS,
  nbf: NOW_SECONDS,
  exp: NOW_SECONDS + 3600,
  'oidc.circleci.com/org-id': '0a1b',
  'oidc.circleci.com/project-id': 'c',
  'oidc.circleci.com/context-ids': ['e'],
  'oidc.circleci.com/ssh-rerun': false,
  'oidc.circleci.com/vcs-origin': 'github.com/a/b',
  'oidc.circleci.com/vcs-ref': 'refs/heads/main',
};
const SOURCE = 'CIRCLE_OIDC_TOKEN';

fuzz(
  'an OIDC token is taken or refused',
  fc.oneof(
    jsonLike(OIDC).map((claims) => jwtOf({ alg: 'RS256', typ: 'JWT' }, claims)),
    textLike([jwtOf({ alg: 'RS256' }, JSON.stringify(OIDC))], ['.', '=', 'e30']),
  ),
  (jwt) => {
    const claims = decodeClaims(jwt, SOURCE);
    checkClaims({ claims, source: SOURCE, origin: 'variable', agentRefusals: [] }, Date.now());
    assert.ok(claims.audiences.length <= jwt.length && !Number.isNaN(claims.expiresAtMs));
  },
  { runs: 1000 },
);
