import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, test, type TestContext } from 'node:test';
import { clusterForFile } from './embedded-cluster.ts';
import { beginJob } from './job.ts';
import { startNginxProxy } from './nginx.ts';
import { missing } from '../programs.ts';
import { assertRefused } from './refusal.ts';
import {
  startHttp2Terminator,
  startTlsTerminator,
  startUnofferedChoice,
  type TlsTerminator,
} from './tls-terminator.ts';

const cluster = await clusterForFile();
const behind = cluster.info.proxy;

/** Far below the 30 seconds of --timeout, but enough for a busy machine. */
const LONGEST_RUN_MS = 25_000;

interface Front {
  readonly what: string;
  readonly start: (t: TestContext) => Promise<TlsTerminator>;
  readonly code: 'AUTH_UNTRUSTED' | 'AUTH_UNREACHABLE';
  readonly skip?: string | false;
}

const FRONTS: readonly Front[] = [
  ...(['forwards', 'refuses', 'page', 'goes-away'] as const).map((manner) => ({
    what: `one that speaks HTTP/2 and HTTP/1.1 (${manner})`,
    start: (t: TestContext) => startHttp2Terminator(t, { behind, manner }),
    code: 'AUTH_UNTRUSTED' as const,
  })),
  {
    what: 'one that speaks HTTP/1.1 and refuses other ALPN protocols',
    start: (t) => startTlsTerminator(t, { behind, speaks: ['http/1.1'] }),
    code: 'AUTH_UNREACHABLE',
  },
  {
    what: 'one that chooses no ALPN protocol',
    start: (t) => startTlsTerminator(t, { behind }),
    code: 'AUTH_UNTRUSTED',
  },
  {
    what: 'one that chooses an ALPN protocol that was not offered',
    start: (t) => startUnofferedChoice(t, { behind }),
    code: 'AUTH_UNREACHABLE',
  },
  ...[true, false].map((http2): Front => ({
    what: `nginx, ${http2 ? 'with HTTP/2' : 'HTTP/1.1 alone'}`,
    start: (t) => startNginxProxy(t, { behind, http2 }),
    code: http2 ? 'AUTH_UNTRUSTED' : 'AUTH_UNREACHABLE',
    skip: missing('nginx') ?? false,
  })),
];

describe('behind a load balancer that terminates TLS, the join succeeds and the error names the obstacle:', () => {
  for (const { what, start, code, skip = false } of FRONTS) {
    test(what, { skip }, async (t) => {
      const { address, certificate } = await start(t);
      const job = await beginJob(t, cluster);
      await writeFile(join(job.folder, 'balancer.pem'), certificate);
      const args = ['run', '--proxy-server', address, '--token', cluster.info.joinToken];
      const options = ['--destination', job.destination, '--ca-file', join(job.folder, 'balancer.pem')];
      const startMs = performance.now();
      const run = await job.run([...args, ...options]);
      assert.match(run.stderr, /joined as bot \S+ by the registration endpoint/);
      assertRefused(run, {
        code,
        says: /cannot reach the Auth Service behind localhost:\d+: .*terminates TLS and drops Teleport's ALPN, as a layer 7 load balancer does/,
        hint: /address that reaches the Proxy itself.*layer 4/,
      });
      assert.ok(performance.now() - startMs < LONGEST_RUN_MS);
      assert.doesNotMatch(run.stderr, /error:0|routines|\.c:\d/);
      assert.deepEqual(
        cluster.records.kinds.filter((kind) => kind.startsWith('rpc:')),
        [],
      );
    });
  }
});
