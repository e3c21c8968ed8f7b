import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:https';
import test, { type TestContext } from 'node:test';
import { generateKeyPair } from '../../src/crypto/keys.ts';
import { createSession } from '../../src/outputs/aws-session.ts';
import { network } from '../direct-network.ts';
import { fakeClock } from '../effects/fake-clock.ts';
import { testRetries } from '../effects/retries.ts';
import { selfSigned } from '../tls-certificate.ts';

const { certificate, key } = await selfSigned('localhost');
const keyPair = await generateKeyPair('ecdsa-p256');

/** A server that is always busy, and by the clock takes 20 s for each answer. */
async function busyServer(t: TestContext, headers: Readonly<Record<string, string>>) {
  const clock = fakeClock();
  const dates: unknown[] = [];
  const server = createServer({ cert: certificate, key }, (request, response) => {
    dates.push(request.headers['x-amz-date']);
    clock.pass(20_000);
    response.writeHead(503, { 'x-amzn-errortype': 'ServiceUnavailableException', ...headers }).end('{}');
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  const address = server.address();
  assert.ok(address !== null && typeof address === 'object');
  const retries = testRetries({ clock, random: () => 0, timeoutMs: 30_000 });
  const request = {
    endpoint: `https://localhost:${address.port}`,
    region: 'eu-central-1',
    roleArn: 'arn:aws:iam::123456789012:role/ci',
    profileArn: 'arn:aws:rolesanywhere:eu-central-1:123456789012:profile/1',
    trustAnchorArn: 'arn:aws:rolesanywhere:eu-central-1:123456789012:trust-anchor/2',
    durationMs: 3_600_000,
    keyPair,
    certificate: new X509Certificate(certificate).raw,
    chain: [],
  };
  const { signal } = new AbortController();
  return { clock, dates, session: () => createSession(request, { network, ca: certificate, clock, retries, signal }) };
}

test('while AWS stays busy, it is asked until the deadline, each time with a signature of that time', async (t) => {
  const { clock, dates, session } = await busyServer(t, {});
  await assert.rejects(session(), {
    code: 'AWS_UNREACHABLE',
    message:
      /is busy: ServiceUnavailableException \(HTTP status 503\); gave up after 3 tries in 60 s \(--deadline 60\)$/,
  });
  assert.deepEqual(dates, ['20260101T000000Z', '20260101T000020Z', '20260101T000040Z']);
  assert.deepEqual(clock.waitsMs, [0, 0]);
});

test('AWS is asked again when it says, unless that is after the deadline', async (t) => {
  const { clock, session } = await busyServer(t, { 'retry-after': '12' });
  await assert.rejects(session(), {
    message: /asks to wait 12 s, but only 8 s are left; gave up after 2 tries in 52 s/,
  });
  assert.deepEqual(clock.waitsMs, [12_000]);
  const soon = await busyServer(t, { 'retry-after': '50' });
  await assert.rejects(soon.session(), { message: /asks to wait 50 s, but only 40 s are left; gave up after 1 try/ });
});
