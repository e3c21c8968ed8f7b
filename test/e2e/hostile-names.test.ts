/** Names that a cluster can contain, wherever they are shown or become part of a file. */
import assert from 'node:assert/strict';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import test from 'node:test';
import { parse } from 'yaml';
import { z } from 'zod';
import { botUserName, role } from '../cluster/data/data.ts';
import { directory, runItems } from './config-file.ts';
import { clusterForFile } from './embedded-cluster.ts';
import { exportedTo } from './exported.ts';
import { beginJob, type Job } from './job.ts';
import { errorReport } from './refusal.ts';
import { resultOf } from './run-result.ts';

const HOSTILE = [
  'a\nerror: forged\ncode: JOIN_DENIED',
  'a\r\n[  999 ms] forged',
  'a\u001b[2J\u001b]0;forged\u0007',
  'a\u202edetcerid\u2066\u200bforged\ufeff\u2028forged',
  '../../forged',
  '$(touch forged)`touch forged`\'"; touch forged #',
  'a\0forged',
] as const;

const Kubeconfig = z.object({ clusters: z.array(z.object({ name: z.string() })) });

const cluster = await clusterForFile();
const { roles } = cluster.resources;
const own = roles.findIndex(({ name }) => name === botUserName('ci'));
const access = roles.find(({ name }) => name === 'access');
assert.ok(access !== undefined);
roles[own] = role(botUserName('ci'), { impersonates: ['access', ...HOSTILE] });
roles.push(...HOSTILE.map((name) => ({ ...access, name })));
Object.assign(cluster.resources, {
  kubernetesClusters: HOSTILE.map((name) => ({ name, labels: { hostile: 'yes', env: 'dev' }, agents: 1 })),
});

/** Each line is one that the program writes, and none contains an invisible character. */
function assertNeutral(text: string, what: string): void {
  for (const line of text.split('\n')) {
    assert.doesNotMatch(
      line,
      /^(error: )?forged|^\[ {2}999 ms\]|^code: JOIN_DENIED|^error: forged/,
      `${what}: ${line}`,
    );
    assert.doesNotMatch(line, /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u, `${what}: ${JSON.stringify(line)}`);
  }
}

async function names(folder: string): Promise<readonly string[]> {
  return (await readdir(folder, { recursive: true })).map(String);
}

test('hostile names of roles and Kubernetes clusters', async (t) => {
  const job = await beginJob(t, cluster);
  const kubernetes = 'type: kubernetes/v2, selectors: [{ labels: { hostile: "yes" } }]';
  const items = [
    `type: identity, ${directory(join(job.folder, 'out'))}`,
    `${kubernetes}, ${directory(join(job.folder, 'kube'))}`,
  ];

  await t.test('add no lines to the log, the summary and the report, and are complete in JSON', async () => {
    const page = join(job.folder, 'report.html');
    const { outputs } = resultOf(await runItems(cluster, job, items, '', ['--report', page]));
    assert.deepEqual([...(outputs[0]?.roles ?? [])].sort(), ['access', ...HOSTILE].sort());
    assertNeutral(await readFile(page, 'utf8'), 'the page');
    const run = await job.run(['run', '-c', join(job.checkout, 'tbot.yaml'), '--debug']);
    assert.equal(run.exitCode, 0, run.stderr);
    assertNeutral(run.stderr, 'the log');
    const lines = await job.run(['run', '-c', join(job.checkout, 'tbot.yaml'), '--debug', '--log-format', 'json']);
    assertNeutral(lines.stderr, 'the log in JSON');
    for (const line of lines.stderr.trim().split('\n')) JSON.parse(line);
  });

  await t.test('stay on their lines in the checks of doctor', async () => {
    const junit = join(job.folder, 'junit.xml');
    const config = ['doctor', '-c', join(job.checkout, 'tbot.yaml')];
    const run = await job.run([...config, '--junit', junit]);
    assert.equal(run.exitCode, 0, run.stdout);
    assertNeutral(run.stdout, 'the list');
    assertNeutral(await readFile(junit, 'utf8'), 'JUnit');
    assertNeutral((await job.run([...config, '--json'])).stdout, 'JSON');
  });

  await t.test('are only values in the files', async () => {
    const { clusters } = Kubeconfig.parse(parse(await readFile(join(job.folder, 'kube/kubeconfig.yaml'), 'utf8')));
    const contexts = HOSTILE.map((name) => `${cluster.info.cluster}-${name}`);
    assert.deepEqual(clusters.map(({ name }) => name).sort(), contexts.sort());
    await exportedTo(job);
    assert.ok((await names(job.folder)).every((path) => !path.includes('forged')));
  });
});

test('an error that quotes a hostile name adds no lines', async (t) => {
  const job = await beginJob(t, cluster);
  const all = [...roles];
  t.after(() => roles.splice(0, roles.length, ...all));
  roles.splice(0, roles.length, ...all.filter(({ name }) => name !== HOSTILE[0]));
  const run = await job.run([...job.flags, '--debug']);
  assert.equal(errorReport(run).code, 'ROLE_DENIED');
  assertNeutral(run.stderr, 'the report');
});

test('a hostile claim of the OIDC token adds no lines', async (t) => {
  const job = await beginJob(t, cluster);
  const claims = { iss: 'https://example.com/\nerror: forged', ref: 'refs/heads/a\n[  999 ms] forged' };
  assertNeutral((await runWith(job, claims)).stderr, 'the log');
  assertNeutral((await runWith(job, claims, ['doctor', ...job.flags.slice(1)])).stdout, 'doctor');
});

function runWith(job: Job, { iss, ref }: { readonly iss: string; readonly ref: string }, args = job.flags) {
  const nowS = Math.floor(Date.now() / 1000);
  const encode = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url');
  const payload = {
    iss,
    ...{ aud: 'a', sub: `org/a/project/b/user/c\nerror: forged`, iat: nowS, exp: nowS + 3600 },
    ...{ 'oidc.circleci.com/vcs-ref': ref, 'oidc.circleci.com/project-id': ref },
  };
  const token = `${encode({ alg: 'RS256' })}.${encode(payload)}.c2lnbmF0dXJl`;
  return job.run(args, { environment: { CIRCLE_OIDC_TOKEN: token } });
}
