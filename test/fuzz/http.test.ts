/**
 * Servers with valid HTTP/1.1 but unusual headers, statuses and bodies: the Proxy's web API, IAM Roles Anywhere, and
 * the server of Teleport's programs.
 */
import assert from 'node:assert/strict';
import fc from 'fast-check';
import { openDownloadServer } from '../../src/commands/install-tools/download-server.ts';
import { systemClock } from '../../src/effects/time.ts';
import { Secret } from '../../src/effects/secret.ts';
import { joinLegacy, PROXY_ENDPOINT } from '../../src/join/legacy.ts';
import { openWebApi } from '../../src/net/web.ts';
import { createSession } from '../../src/outputs/aws-session.ts';
import { parsePing } from '../../src/teleport/ping.ts';
import { network } from '../direct-network.ts';
import { fakeClock } from '../effects/fake-clock.ts';
import { testRetries } from '../effects/retries.ts';
import { SAMPLE_FACTS } from '../join/sample-facts.ts';
import { jsonLike, mostly, ODD_TEXTS, textLike } from './mutations.ts';
import { type Peer, rawPeer } from './peers.ts';
import { fuzz } from './property.ts';
import { clusterSamples } from './samples.ts';

const peer = await rawPeer('localhost', ['http/1.1']);
const { keyPair, svid } = await clusterSamples();
const { signal } = new AbortController();
/** Nothing waits for the rest of a truncated response, because the server closes each connection. */
const TIMEOUT_MS = 2000;

function withLength(status: string, headers: Readonly<Record<string, string>>, body: string): Buffer {
  const all = Object.entries({ ...headers, 'Content-Length': String(Buffer.byteLength(body)) });
  const lines = all.map(([name, value]) => `${name}: ${value}\r\n`);
  return Buffer.from(`HTTP/1.1 ${status}\r\n${lines.join('')}\r\n${body}`);
}

const headerText = textLike(
  ['a', '0', 'gzip', 'Wed, 21 Oct 2026 07:28:00 GMT'],
  ['deflate', 'br', 'chunked', ', '],
).filter((text) => !/[\r\n]/.test(text));
const headerNames = [
  'Content-Encoding',
  'Content-Length',
  'Transfer-Encoding',
  'Date',
  'Content-Type',
  'Connection',
  'x-amzn-errortype',
];

function answers(status: string, sample: unknown): fc.Arbitrary<Buffer> {
  const statuses = fc.constantFrom('204 x', '302 x', '403 x', '500 x', '100 x', '101 x', '999 x', '200');
  return fc
    .tuple(mostly(status, statuses), fc.constantFrom(...headerNames), mostly('', headerText), jsonLike(sample))
    .map(([one, name, value, text]) => withLength(one, value === '' ? {} : { [name]: value }, text));
}

const web = (to: Peer<Buffer>) =>
  openWebApi({
    network,
    address: { host: 'localhost', port: to.port },
    trust: { ca: to.ca, verify: true },
    retries: testRetries({ timeoutMs: TIMEOUT_MS }),
    signal,
  });

fuzz(
  'a Proxy that answers oddly is found or refused',
  answers('200 OK', { cluster_name: 'a', server_version: '18.2.4', auth: {}, proxy: { ssh: {} } }),
  async (answer) => {
    peer.answer = answer;
    const api = web(peer);
    try {
      const { body, sentMs } = await api.get('/webapi/ping');
      assert.equal(typeof sentMs, 'number');
      parsePing(body, api.address);
    } finally {
      api.close();
    }
  },
  { runs: 200 },
);

fuzz(
  'a registration endpoint that answers oddly joins or refuses',
  answers('200 OK', { ssh: 'AAAA', tls: 'AAAA', tls_ca_certs: ['AAAA'], ssh_ca_certs: [] }),
  async (answer) => {
    peer.answer = answer;
    const api = web(peer);
    try {
      await joinLegacy(
        { web: api, endpoint: PROXY_ENDPOINT },
        { facts: SAMPLE_FACTS, jwt: new Secret('x'), keyPair, expiresAtMs: 0 },
      );
    } finally {
      api.close();
    }
  },
  { runs: 150, mayRefuseAll: true },
);

/** Pauses take no time, and a few of them exceed the deadline. */
const patient = () => testRetries({ timeoutMs: TIMEOUT_MS, deadlineMs: 5000, clock: fakeClock() });
const credentials = { accessKeyId: 'A', secretAccessKey: 'S', sessionToken: 'T', expiration: '2026-11-23T18:00:00Z' };
fuzz(
  'AWS gives a session that can be written, or refuses',
  answers('201 Created', { credentialSet: [{ credentials }], subjectArn: 'a' }),
  async (answer) => {
    peer.answer = answer;
    const arn = (resource: string) => `arn:aws:rolesanywhere:eu-west-1:123456789012:${resource}`;
    const session = await createSession(
      {
        ...{ endpoint: `https://localhost:${peer.port}`, region: 'eu-west-1', roleArn: arn('role/a') },
        ...{ profileArn: arn('profile/b'), trustAnchorArn: arn('trust-anchor/c'), durationMs: 3_600_000 },
        ...{ keyPair, certificate: svid, chain: [] },
      },
      { network, ca: peer.ca, clock: systemClock, retries: patient(), signal },
    );
    assert.ok(Number.isFinite(session.expiresAtMs));
    for (const word of [session.accessKeyId, session.secretAccessKey.reveal(), session.sessionToken.reveal()]) {
      assert.match(word, /^[\x21-\x7e]+$/);
    }
  },
  { runs: 200 },
);

const LOCATIONS = [
  'https://localhost:1/a',
  '/b',
  '//%zz@localhost:1/',
  'https://%c3:%a4@localhost:1/',
  'http://localhost/',
  'https://user:secret@localhost:1/?q#f',
];
/** No other names are resolved in these tests. */
function staysHere(location: string): boolean {
  const base = 'https://localhost:1/';
  return !URL.canParse(location, base) || ['localhost', ''].includes(new URL(location, base).hostname);
}

const redirect = fc
  .tuple(
    fc.constantFrom('301 x', '302 x', '303 x', '307 x', '308 x'),
    textLike(LOCATIONS, ODD_TEXTS).filter((text) => !/[\r\n]/.test(text) && staysHere(text)),
  )
  .map(([status, Location]) => withLength(status, { Location }, ''));

fuzz(
  'a server of releases that answers oddly is downloaded from, or refused',
  fc.oneof(answers('206 Partial Content', { a: 'b' }), redirect),
  async (answer) => {
    peer.answer = answer;
    const server = openDownloadServer({
      network,
      trust: { ca: peer.ca, elsewhere: () => [peer.ca], verify: true },
      signal,
    });
    try {
      const wish = { range: { fromByte: 3, ifTag: '"a"' }, stallMs: TIMEOUT_MS };
      const got = await server.get(new URL(`https://a:b@localhost:${peer.port}/c`), wish);
      let bytes = 0;
      for await (const part of got.body) bytes += part.length;
      assert.ok(bytes <= answer.length && Number.isInteger(got.status));
    } finally {
      server.close();
    }
  },
  // Each of them loads all authorities of Node, which takes time.
  { runs: 60 },
);
