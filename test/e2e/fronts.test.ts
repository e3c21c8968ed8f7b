/** The same cluster behind Teleport Cloud's router by server name, and behind a firewall that filters by it. */
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import test, { after } from 'node:test';
import { z } from 'zod';
import type { FrontKind } from '../cluster/proxy/front.ts';
import { clusterIn, directoryFor } from './embedded-cluster.ts';
import { beginJob } from './job.ts';
import { resultOf } from './run-result.ts';

const authorities = await directoryFor({ after });
const HEX = `${Buffer.from('example.teleport.test').toString('hex')}.teleport.cluster.local`;

const Examination = z.object({
  checks: z.array(z.object({ id: z.string(), state: z.string(), detail: z.string() })),
});

interface Expected {
  /** What the front did with each server name, in the order of their first connections. */
  readonly verdicts: Readonly<Record<string, string>>;
  /** The server name that reaches the Auth Service. */
  readonly name: string;
  readonly doctorSays: 'pass' | 'warn';
}

const CLOUD = { verdicts: { localhost: 'forwarded', [HEX]: 'forwarded' }, name: HEX, doctorSays: 'pass' } as const;
const FIREWALL = {
  verdicts: { localhost: 'forwarded', [HEX]: 'dropped' },
  name: 'localhost',
  doctorSays: 'warn',
} as const;

const CASES: readonly (readonly [string, FrontKind, Expected])[] = [
  ['15.3.7', 'cloud', CLOUD],
  ['18.6.0', 'sni-firewall', FIREWALL],
];

for (const [teleport, front, { doctorSays, name, verdicts }] of CASES) {
  test(`Teleport ${teleport} behind the front ${front}`, async (t) => {
    const cluster = await clusterIn(authorities, t, { teleport, front });
    const job = await beginJob(t, cluster);
    const seen = () =>
      Object.fromEntries(
        cluster.records.all
          .filter(({ listener }) => listener === 'front')
          .map(({ fields, serverName }) => [String(serverName), fields.verdict]),
      );

    await t.test('run writes an identity and a kubeconfig', async () => {
      const flags = [...job.flags, '--kubernetes-cluster', 'dev', '--ssh', '--debug', '--json'];
      const run = await job.run(flags);
      assert.deepEqual(
        resultOf(run).outputs.map(({ type }) => type),
        ['identity', 'kubernetes'],
      );
      assert.deepEqual(seen(), verdicts);
      assert.match(run.stderr, new RegExp(`the Auth Service was reached with the TLS server name ${name}$`, 'm'));
      const kubeconfig = await readFile(join(job.destination, 'kubernetes', 'kubeconfig.yaml'), 'utf8');
      assert.match(kubeconfig, new RegExp(`server: https://localhost:${cluster.info.proxy.split(':')[1] ?? ''}`));
    });

    await t.test('doctor passes and says which server name reaches the Auth Service', async () => {
      const run = await job.run([...job.flags.with(0, 'doctor'), '--json']);
      assert.equal(run.exitCode, 0, run.stdout);
      const auth = Examination.parse(JSON.parse(run.stdout)).checks.find(({ id }) => id === 'auth');
      assert.equal(auth?.state, doctorSays);
      assert.match(auth.detail, new RegExp(`with the TLS server name ${name}\\b`));
    });
  });
}

test('a run behind a firewall that filters by server name times out only once', async (t) => {
  const cluster = await clusterIn(authorities, t, { front: 'sni-firewall' });
  const job = await beginJob(t, cluster);
  const run = await job.run([...job.flags, '--database', 'orders', '--application', 'dashboard', '--json']);
  resultOf(run);
  assert.equal(run.stderr.match(/cannot reach the Auth Service with the TLS server name/g)?.length, 1);
  const dropped = cluster.records.all.filter(({ fields }) => fields.verdict === 'dropped');
  assert.deepEqual(
    dropped.map(({ serverName }) => serverName),
    [HEX],
  );
});
