/** The real gRPC and SSH clients, with servers that respond with mutated messages, frames and bytes. */
import assert from 'node:assert/strict';
import type { OutgoingHttpHeaders } from 'node:http2';
import fc from 'fast-check';
import { authApi } from '../../src/auth/auth-api.ts';
import { issueHostCertificate } from '../../src/auth/host-certificate.ts';
import { issueIdentity } from '../../src/auth/issue.ts';
import { federationApi, spiffeApi } from '../../src/auth/spiffe-api.ts';
import { checkJwtSvid, checkX509Svid } from '../../src/auth/svid.ts';
import { workloadApi } from '../../src/auth/workload-api.ts';
import { Secret } from '../../src/effects/secret.ts';
import { openBulkCall } from '../../src/grpc/bulk.ts';
import { type GrpcConnection, grpcOver } from '../../src/grpc/client.ts';
import { acceptJoin } from '../../src/join/bot-identity.ts';
import { joinByService } from '../../src/join/join-service.ts';
import { dialTls } from '../../src/net/dial.ts';
import { findKubeCluster } from '../../src/outputs/kube-access.ts';
import { API_DOMAIN } from '../../src/teleport/names.ts';
import { PROXY_SSH_PATH, proxySsh } from '../../src/teleport/ssh-proxy.ts';
import { network } from '../direct-network.ts';
import { testRetries } from '../effects/retries.ts';
import { SAMPLE_FACTS } from '../join/sample-facts.ts';
import { framed, grpcAnswers, http2Bytes, untilUnknownFrame } from './grpc-answers.ts';
import { bytesLike, mostly, ODD_TEXTS } from './mutations.ts';
import { http2Peer, type Peer, rawPeer, type StreamAnswer } from './peers.ts';
import { fuzz } from './property.ts';
import { CLUSTER, clusterSamples, keyLine, pemBlock } from './samples.ts';

const samples = await clusterSamples();
const answers = await grpcAnswers(samples);
const { hostSsh, keyPair, spiffeTls, userSsh, userTls } = samples;
const { signal } = new AbortController();
const times = () => ({ askedMs: Infinity, nowMs: Date.now() });
const clock = { nowMs: () => Date.now(), elapsedMs: () => 0, sleep: () => Promise.resolve() };

const OK = { 'grpc-status': '0' };
const GRPC = { ':status': 200, 'content-type': 'application/grpc' };
const answer = (body: Buffer): StreamAnswer => ({ headers: GRPC, body, trailers: OK });

const perMessage = await http2Peer(API_DOMAIN, answer(Buffer.alloc(0)));
const perConnection = await rawPeer(API_DOMAIN, ['h2']);

function socketTo({ ca, port }: Peer<unknown>) {
  return dialTls({ network, address: { host: '127.0.0.1', port }, serverName: API_DOMAIN, alpn: ['h2'], ca, signal });
}

/** Runs the work with a separate connection. */
async function connected<T>(peer: Peer<unknown>, work: (connection: GrpcConnection) => Promise<T>): Promise<T> {
  const connection = await grpcOver(await socketTo(peer), API_DOMAIN);
  try {
    return await work(connection);
  } finally {
    connection.close();
  }
}

/** Each call is made once, because only the parsing of its response is tested. */
const ONCE = {
  retries: testRetries({ timeoutMs: 1000 }),
  attempts: <T>(attempt: () => Promise<T>) => attempt(),
};
const place = { address: { host: 'localhost', port: 1 }, isDirect: false };
const calls = { place, signal, ...ONCE };
const options = { ...calls, clusterName: CLUSTER, onSkippedLeaf: () => undefined };
const serverVersion = { major: 18, text: '18.2.4' };
const user = { clusterName: CLUSTER, tlsCertificatesPem: [pemBlock(userTls)], sshPublicKeys: [keyLine(userSsh)] };
const host = { clusterName: CLUSTER, tlsCertificatesPem: [], sshPublicKeys: [keyLine(hostSsh)] };
const { publicKey } = keyPair;
const request = {
  ...{ keyPair, userName: 'bot-ci', clusterName: CLUSTER, routeToCluster: CLUSTER, roles: ['editor', 'access'] },
  ...{ route: undefined, expiresAtMs: Date.now() + 3_600_000, allowReissue: false, serverVersion },
};

/** Each call with all checks of its response. */
const CALLS: Readonly<Record<string, readonly [Buffer, (connection: GrpcConnection) => Promise<unknown>]>> = {
  Ping: [answers.ping, (connection) => authApi(connection, options).serverVersion()],
  GetRole: [answers.role, (connection) => authApi(connection, options).impersonatedRoles('bot-ci')],
  GetCertAuthorities: [
    answers.authorities,
    async (connection) => {
      for (const { sshPublicKeys } of await authApi(connection, options).certAuthorities('user')) {
        for (const line of sshPublicKeys) assert.match(line, /^[a-z0-9-]+ [A-Za-z0-9+/]+=*$/);
      }
    },
  ],
  GenerateUserCerts: [
    answers.certs,
    async (connection) => {
      const authorities = { userAuthorities: Promise.resolve([user]), clock };
      const { identity } = await issueIdentity(authApi(connection, options), request, authorities);
      assert.deepEqual(identity.roles, ['access', 'editor']);
      assert.equal(identity.sshCertificateLine, keyLine(samples.ssh));
    },
  ],
  GenerateHostCert: [
    answers.hostCert,
    async (connection) => {
      const asked = { publicKey, principals: ['root'], clusterName: CLUSTER, ttlMs: 3_600_000 };
      const authorities = { hostAuthorities: [host], clock };
      const { line } = await issueHostCertificate(authApi(connection, options), asked, authorities);
      assert.equal(line, keyLine(samples.sshHost));
    },
  ],
  ListResources: [
    answers.resources,
    async (connection) => {
      const { labels, name } = await findKubeCluster(authApi(connection, options), 'kube', 'outputs[0]');
      assert.ok(name === 'kube' && Object.values(labels).every((value) => typeof value === 'string'));
    },
  ],
  'IssueWorkloadIdentity (X.509)': [
    answers.x509Svid,
    async (connection) => {
      const wish = { publicKey, ttlMs: 1000 };
      const [svid] = await workloadApi(connection, options).issueX509({ name: 'a', labels: {} }, wish);
      const expected = { publicKey, trustDomain: CLUSTER, authoritiesPem: [pemBlock(spiffeTls)], ...times() };
      if (svid !== undefined) assert.equal(checkX509Svid(svid, expected).spiffeId, `spiffe://${CLUSTER}/ci/a`);
    },
  ],
  'IssueWorkloadIdentity (JWT)': [
    answers.jwtSvid,
    async (connection) => {
      const wish = { audiences: ['a'], ttlMs: 1000 };
      const [svid] = await workloadApi(connection, options).issueJwt({ name: 'a', labels: {} }, wish);
      if (svid !== undefined) checkJwtSvid(svid, { audiences: ['a'], trustDomain: CLUSTER, ...times() });
    },
  ],
  SignX509SVIDs: [
    answers.signedSvids,
    (connection) => {
      const name = { path: '/a', hint: undefined, dnsNames: [], ipAddresses: [] };
      return spiffeApi(connection, options).signX509(name, { publicKey, ttlMs: 1000 });
    },
  ],
  ListSPIFFEFederations: [
    answers.federations,
    (connection) => federationApi(connection, options).federatedAuthorities(),
  ],
};

for (const [name, [sample, call]] of Object.entries(CALLS)) {
  const changed = bytesLike(sample).map(framed);
  const input = fc.oneof({ weight: 5, arbitrary: changed }, { weight: 1, arbitrary: bytesLike(framed(sample)) });
  fuzz(
    `a changed answer to ${name} is accepted or refused`,
    input,
    async (body) => {
      perMessage.answer = answer(body);
      await connected(perMessage, call);
    },
    { runs: 60 },
  );
}

const oddHeader = fc
  .oneof(fc.constantFrom(...ODD_TEXTS), fc.string({ maxLength: 12 }))
  .filter((text) => /^[ -~]*$/.test(text));
const statuses = fc.oneof(
  fc.constantFrom('0', '1', '2', '4', '5', '7', '8', '12', '13', '14', '16', '17', '99'),
  oddHeader,
);
const encodings = fc.oneof(fc.constantFrom('identity', 'gzip', 'br', 'gzip, gzip'), oddHeader);
const contentTypes = fc.constantFrom(
  'application/grpc',
  'application/grpc+proto',
  'application/grpc+json',
  'text/html',
  '',
);

const oddAnswers = fc
  .record({
    status: mostly(200, fc.constantFrom(204, 302, 403, 404, 500, 503)),
    contentType: mostly('application/grpc', contentTypes),
    fields: fc.record(
      {
        'grpc-status': mostly('0', statuses),
        'grpc-message': oddHeader,
        'grpc-encoding': mostly('identity', encodings),
        'grpc-status-details-bin': oddHeader,
      },
      { requiredKeys: ['grpc-status'] },
    ),
    inTrailers: mostly(true, fc.constant(false)),
    body: fc.oneof(fc.constant(framed(answers.ping)), bytesLike(framed(answers.ping))),
  })
  .map(({ body, contentType, fields, inTrailers, status }): StreamAnswer => {
    const headers: OutgoingHttpHeaders = { ':status': status, 'content-type': contentType };
    return inTrailers
      ? { headers, body, trailers: fields }
      : { headers: { ...headers, ...fields }, body, trailers: undefined };
  });

fuzz(
  'an answer with odd headers is accepted or refused',
  oddAnswers,
  async (odd) => {
    perMessage.answer = odd;
    await connected(perMessage, (connection) => authApi(connection, options).serverVersion());
  },
  { runs: 200 },
);

const [, readPing] = CALLS.Ping ?? [];

fuzz(
  'bytes that are hardly HTTP/2 end the call and nothing else',
  bytesLike(http2Bytes(framed(answers.ping))),
  async (bytes) => {
    perConnection.answer = untilUnknownFrame(bytes);
    await connected(perConnection, (connection) => readPing?.(connection) ?? Promise.resolve());
  },
  { runs: 100 },
);

async function join(peer: Peer<unknown>): Promise<void> {
  const joined = await joinByService({
    network,
    upgrades: undefined,
    onAlpnLost: () => undefined,
    nowMs: Date.now(),
    address: { host: 'localhost', port: peer.port },
    trust: { ca: peer.ca, verify: true },
    facts: SAMPLE_FACTS,
    jwt: new Secret('eyJ'),
    keyFor: () => Promise.resolve(keyPair),
    expiresAtMs: Date.now(),
    timeoutMs: 1000,
    onResponse: () => undefined,
    signal,
  });
  if (joined.kind === 'unavailable') assert.ok(joined.reason.length > 0);
  else if (joined.kind !== 'joined') throw joined.error(SAMPLE_FACTS);
  else acceptJoin(joined.certificates, { keyPair, clusterName: CLUSTER, ...times() });
}

const webPerMessage = await http2Peer('localhost', answer(Buffer.alloc(0)));
const webPerConnection = await rawPeer('localhost', ['h2']);
const { joinInit, joinResult } = answers;
const joinAnswers = fc.oneof(
  bytesLike(joinResult).map((result) => Buffer.concat([framed(joinInit), framed(result)])),
  bytesLike(joinInit).map((init) => Buffer.concat([framed(init), framed(joinResult)])),
  bytesLike(Buffer.concat([framed(joinInit), framed(joinResult)])),
);

fuzz(
  'a changed answer of the join service is accepted, refused, or leads to the other endpoint',
  joinAnswers,
  async (body) => {
    webPerMessage.answer = answer(body);
    await join(webPerMessage);
  },
  { runs: 150 },
);

fuzz(
  'a join service that hardly speaks HTTP/2 is refused, or leads to the other endpoint',
  bytesLike(http2Bytes(Buffer.concat([framed(joinInit), framed(joinResult)]))),
  async (bytes) => {
    webPerConnection.answer = untilUnknownFrame(bytes);
    await join(webPerConnection);
  },
  { runs: 80 },
);

async function ssh(peer: Peer<unknown>): Promise<Buffer> {
  const written: Uint8Array[] = [];
  const call = await openBulkCall(await socketTo(peer), API_DOMAIN, PROXY_SSH_PATH);
  const ends = {
    input: (async function* () {
      yield Promise.resolve(Buffer.from('SSH-2.0-client\r\n'));
    })(),
    write: (parts: readonly Uint8Array[]) => {
      written.push(...parts.map((part) => Buffer.from(part)));
      return Promise.resolve();
    },
  };
  const target = { cluster: CLUSTER, host: 'node', port: 22, login: 'root' };
  const proxy = { host: 'localhost', port: peer.port };
  try {
    await proxySsh(target, ends, { call, proxy, signal });
  } finally {
    call.close();
  }
  return Buffer.concat(written);
}

const frames = Buffer.concat([framed(answers.sshFrame), framed(Buffer.alloc(0)), framed(answers.sshFrame)]);

fuzz(
  'a changed stream of SSH is handed on or ends with an error',
  fc.oneof(bytesLike(frames), bytesLike(answers.sshFrame).map(framed)),
  async (body) => {
    perMessage.answer = answer(body);
    assert.ok((await ssh(perMessage)).length <= body.length);
  },
  { runs: 100 },
);

fuzz(
  'a transport service with odd headers ends the connection with an error',
  oddAnswers,
  async (odd) => {
    perMessage.answer = odd;
    await ssh(perMessage);
  },
  { runs: 100 },
);

fuzz(
  'a transport service that hardly speaks HTTP/2 ends the connection with an error',
  bytesLike(http2Bytes(frames)),
  async (bytes) => {
    perConnection.answer = untilUnknownFrame(bytes);
    await ssh(perConnection);
  },
  { runs: 200 },
);
