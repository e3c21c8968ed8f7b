import assert from 'node:assert/strict';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { createServer as createHttpsServer } from 'node:https';
import { join } from 'node:path';
import test from 'node:test';
import type { ReplyFault } from '../cluster/faults.ts';
import type { RequestKind } from '../cluster/records.ts';
import type { ErrorCode } from '../../src/errors.ts';
import { clusterForFile, misbehave } from './embedded-cluster.ts';
import { selfSigned } from '../tls-certificate.ts';
import { beginJob } from './job.ts';
import { assertRefused, assertRunRefused } from './refusal.ts';

const newest = await clusterForFile();
const byEndpoint = await clusterForFile({ teleport: '17.4.2' });

const AUTH = 'rpc:/proto.AuthService';

interface Case {
  readonly kind: RequestKind;
  readonly fault: ReplyFault;
  readonly code: ErrorCode;
  readonly says: RegExp;
}

const PASSING: readonly Case[] = [
  {
    kind: 'ping',
    fault: 'truncated',
    code: 'RESPONSE_INVALID',
    says: /the response from the Proxy localhost:\d+ was cut off/,
  },
  { kind: 'ping', fault: 'reset', code: 'PROXY_UNREACHABLE', says: /cannot connect to the Proxy/ },
  { kind: 'ping', fault: 'unavailable', code: 'PROXY_UNREACHABLE', says: /returned status 503/ },
  { kind: 'legacy-join', fault: 'truncated', code: 'RESPONSE_INVALID', says: /was cut off/ },
  { kind: 'legacy-join', fault: 'reset', code: 'PROXY_UNREACHABLE', says: /the Proxy localhost/ },
  { kind: 'legacy-join', fault: 'unavailable', code: 'JOIN_FAILED', says: /HTTP status 503/ },
  { kind: 'join-service', fault: 'reset-midway', code: 'JOIN_FAILED', says: /./ },
  { kind: `${AUTH}/GetRole`, fault: 'reset', code: 'AUTH_UNREACHABLE', says: /the Auth Service behind localhost/ },
  { kind: `${AUTH}/GetRole`, fault: 'unavailable', code: 'RPC_FAILED', says: /GetRole/ },
];

const DEADLINE_S = 3;

for (const { kind, fault, code, says } of PASSING) {
  test(`a response to ${kind} that stays ${fault} fails the run by the deadline and changes nothing`, async (t) => {
    const cluster = kind === 'legacy-join' ? byEndpoint : newest;
    const job = await beginJob(t, cluster);
    misbehave(t, cluster, { replies: { [kind]: fault } });
    const all = new RegExp(
      `${says.source}.*; gave up after \\d+ tries in [1-3](\\.\\d)? s \\(--deadline ${DEADLINE_S}\\)`,
    );
    const args = [...job.flags, '--deadline', String(DEADLINE_S)];
    await assertRunRefused(job, { code, says: all }, { args });
    assert.ok(cluster.records.of(kind).length >= 2);
  });
}

for (const [what, after] of [
  ['in seconds', () => '120'],
  ['as a date', () => new Date(Date.now() + 120_000).toUTCString()],
] as const) {
  test(`a Proxy that requests ${what} a pause that exceeds the deadline fails the run immediately`, async (t) => {
    const { certificate, key } = await selfSigned('localhost');
    const proxy = createHttpsServer({ cert: certificate, key }, (_request, response) => {
      response.writeHead(429, { 'retry-after': after() }).end();
    });
    proxy.listen(0, '127.0.0.1');
    await once(proxy, 'listening');
    t.after(() => {
      proxy.closeAllConnections();
      proxy.close();
    });
    const address = proxy.address();
    assert.ok(address !== null && typeof address === 'object');
    const job = await beginJob(t, newest);
    await writeFile(join(job.folder, 'proxy.pem'), certificate);
    const startMs = performance.now();
    const run = await job.run([
      ...[
        'run',
        '--proxy-server',
        `localhost:${String(address.port)}`,
        '--token',
        'x',
        '--destination',
        job.destination,
      ],
      ...['--ca-file', join(job.folder, 'proxy.pem')],
    ]);
    assertRefused(run, {
      code: 'PROXY_UNREACHABLE',
      says: /returned status 429; the server asks to wait 1(20|19|18) s, but only \d+ s are left; gave up after 1 try/,
    });
    assert.ok(performance.now() - startMs < 20_000);
  });
}
