import assert from 'node:assert/strict';
import { describe, test, after } from 'node:test';
import { startCluster } from '../cluster/cluster.ts';
import type { Faults } from '../cluster/faults.ts';
import { clusterIn, directoryFor } from './embedded-cluster.ts';
import { beginJob } from './job.ts';
import { assertRunRefused } from './refusal.ts';

interface Case {
  readonly silent: string;
  readonly faults: Partial<Faults>;
  readonly says: RegExp;
  readonly teleport?: string;
}

const AUTH = 'rpc:/proto.AuthService';
const TRUST = 'rpc:/teleport.trust.v1.TrustService';

const CASES: readonly Case[] = [
  {
    silent: 'a Proxy after TCP',
    faults: { proxyConnections: 'silent-after-tcp' },
    says: /^the Proxy localhost:\d+ did not respond within 5 s\n[^]*1\. a firewall drops packets[^]*set HTTPS_PROXY/,
  },
  {
    silent: 'a Proxy after TLS',
    faults: { proxyConnections: 'silent-after-tls' },
    says: /^the Proxy localhost:\d+ did not respond within 5 s$/,
  },
  {
    silent: 'an Auth Service after TCP',
    faults: { authConnections: 'silent-after-tcp' },
    says: /^the Auth Service behind localhost:\d+ did not respond [^]*\n {2}1\. a firewall drops connections with Teleport's ALPN .* server names [0-9a-f]+\.teleport\.cluster\.local and localhost did not\n/,
  },
  {
    silent: 'discovery',
    faults: { replies: { ping: 'silent' } },
    says: /^the Proxy localhost:\d+ did not respond within 5 s$/,
  },
  {
    silent: 'the registration endpoint',
    faults: { replies: { 'legacy-join': 'silent' } },
    says: /^the Proxy localhost:\d+ did not respond/,
    teleport: '17.4.2',
  },
  { silent: 'Ping', faults: { replies: { [`${AUTH}/Ping`]: 'silent' } }, says: /^Ping at the Auth Service/ },
  { silent: 'GetRole', faults: { replies: { [`${AUTH}/GetRole`]: 'silent' } }, says: /^GetRole at the Auth Service/ },
  {
    silent: 'GenerateUserCerts',
    faults: { replies: { [`${AUTH}/GenerateUserCerts`]: 'silent' } },
    says: /^GenerateUserCerts at the Auth Service/,
  },
  {
    silent: 'GetCertAuthorities',
    faults: { replies: { [`${TRUST}/GetCertAuthorities`]: 'silent' } },
    says: /^GetCertAuthorities at the Auth Service/,
  },
];

/** Created before the clusters, which start at the same time and would each create their own. */
const authorities = await directoryFor({ after });
await (await startCluster({ dir: authorities })).close();

/** A run that waits takes five seconds on any machine; without the flag it would be thirty. */
const LONGEST_RUN_MS = 25_000;

describe('a server that never responds fails the run within --timeout:', { concurrency: 3 }, () => {
  for (const { silent, faults, says, teleport } of CASES) {
    test(silent, async (t) => {
      const cluster = await clusterIn(authorities, t, { faults, ...(teleport === undefined ? {} : { teleport }) });
      const job = await beginJob(t, cluster);
      const startMs = performance.now();
      await assertRunRefused(
        job,
        { code: 'TIMEOUT', says, hint: /--timeout/ },
        { args: [...job.flags, '--timeout', '5'] },
      );
      assert.ok(performance.now() - startMs < LONGEST_RUN_MS);
    });
  }
});
