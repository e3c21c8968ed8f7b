import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import test, { after } from 'node:test';
import { CoreV1Api, KubeConfig } from '@kubernetes/client-node';
import { parse } from 'yaml';
import { z } from 'zod';
import { AUTHORITY_FILES, IDENTITY_FILES } from '../output-files.ts';
import { directory, runItems } from './config-file.ts';
import { clusterForFile, clusterIn, directoryFor, misbehave, NEWEST } from './embedded-cluster.ts';
import { exportedTo } from './exported.ts';
import { listing } from './folder-listing.ts';
import { beginJob, type Job } from './job.ts';
import { missing, type ProgramRun, runProgram } from '../programs.ts';
import { assertRefused } from './refusal.ts';
import { resultOf } from './run-result.ts';

const authorities = await directoryFor({ after });
const newest = await clusterForFile();
const skip = missing('kubectl');
const KUBECONFIG = 'kubeconfig.yaml';
const STAGING = 'staging-eks-eu-central-1-123456789012';

function v1(job: Job, more: string): string {
  return `type: kubernetes, ${more}, ${directory(job.destination)}`;
}

function v2(job: Job, more: string): string {
  return `type: kubernetes/v2, ${more}, ${directory(job.destination)}`;
}

/** kubectl with only what the run exported. */
async function kubectl(job: Job, ...args: readonly string[]): Promise<ProgramRun> {
  const { KUBECONFIG: path = '' } = await exportedTo(job);
  assert.equal(path, join(job.destination, KUBECONFIG));
  return runProgram('kubectl', ['--cache-dir', join(job.folder, 'cache'), ...args], {
    environment: { KUBECONFIG: path, HOME: job.folder },
  });
}

async function podsIn(job: Job, ...args: readonly string[]): Promise<string> {
  const { exitCode, stderr, stdout } = await kubectl(job, 'get', 'pods', '--output', 'name', ...args);
  assert.equal(exitCode, 0, stderr);
  return stdout.trim();
}

const Config = z.object({
  'current-context': z.string(),
  clusters: z.array(
    z.object({
      name: z.string(),
      cluster: z.object({ server: z.string(), 'tls-server-name': z.string().optional() }).loose(),
    }),
  ),
  contexts: z.array(z.object({ name: z.string(), context: z.object({ namespace: z.string().optional() }).loose() })),
});

const UserInfo = z.object({ username: z.string(), groups: z.array(z.string()) });

async function configOf(job: Job): Promise<z.infer<typeof Config>> {
  return Config.parse(parse(await readFile(join(job.destination, KUBECONFIG), 'utf8')));
}

for (const [teleport, tlsRouting] of [
  ['15.3.7', true],
  ['15.3.7', false],
  [NEWEST, true],
  [NEWEST, false],
] as const) {
  const how = tlsRouting ? 'with TLS routing' : 'at the separate port';
  test(`Teleport ${teleport}, ${how}: kubectl works in the Kubernetes cluster of the output`, { skip }, async (t) => {
    const cluster = await clusterIn(authorities, t, { teleport, tlsRouting });
    const job = await beginJob(t, cluster);
    const result = resultOf(await runItems(cluster, job, [v1(job, 'kubernetes_cluster: dev')]));
    assert.deepEqual(result.outputs[0]?.files, [...IDENTITY_FILES, ...AUTHORITY_FILES, KUBECONFIG]);
    const who = await kubectl(job, 'auth', 'whoami', '--output', 'jsonpath={.status.userInfo}');
    const { groups, username } = UserInfo.parse(JSON.parse(who.stdout));
    assert.equal(username, 'ci');
    assert.deepEqual(groups.sort(), ['deployers', 'developers', 'system:authenticated', 'viewers']);
    assert.equal(await podsIn(job, '--all-namespaces'), 'pod/pod-of-dev\npod/pod-of-dev');
    const made = await kubectl(job, 'create', 'configmap', 'build', '--from-literal=n=1', '--output', 'name');
    assert.equal(made.stdout, 'configmap/build\n', made.stderr);
    const [{ cluster: entry } = { cluster: undefined }] = (await configOf(job)).clusters;
    const name = tlsRouting ? 'kube-teleport-proxy-alpn.teleport.cluster.local' : undefined;
    assert.equal(entry?.['tls-server-name'], name);
    assert.equal(entry?.server === `https://${cluster.info.proxy}`, tlsRouting);
    const [asked] = cluster.records.of('kubernetes');
    assert.equal(asked?.serverName, name ?? 'localhost');
    assert.equal(asked.fields.cluster, 'dev');
  });
}

test('kubectl works by path in every Kubernetes cluster of kubernetes/v2', { skip }, async (t) => {
  const job = await beginJob(t, newest);
  const selectors = 'selectors: [{ name: prod, default_namespace: web }, { labels: { env: dev } }, { name: staging }]';
  const result = resultOf(await runItems(newest, job, [v2(job, selectors)]));
  assert.deepEqual(result.outputs[0]?.files, [...IDENTITY_FILES, KUBECONFIG, 'teleport-host-ca.crt']);
  const config = await configOf(job);
  assert.deepEqual(
    config.contexts.map(({ name, context }) => [name, context.namespace]),
    [
      ['example.teleport.test-prod', 'web'],
      ['example.teleport.test-dev', undefined],
      [`example.teleport.test-${STAGING}`, undefined],
    ],
  );
  assert.equal(config['current-context'], 'example.teleport.test-prod');
  assert.equal(await podsIn(job), 'pod/pod-of-prod');
  assert.equal(await podsIn(job, '--context', 'example.teleport.test-dev'), 'pod/pod-of-dev');
  assert.equal(await podsIn(job, '--context', `example.teleport.test-${STAGING}`), `pod/pod-of-${STAGING}`);
  assert.deepEqual(
    newest.records.of('kubernetes').filter(({ fields }) => !String(fields.path).startsWith('/v1/teleport/')),
    [],
  );
});

test('kubectl has the contexts of every Kubernetes output, each with its own credentials', { skip }, async (t) => {
  const job = await beginJob(t, newest);
  const at = (name: string) => directory(join(job.folder, name));
  const run = await runItems(newest, job, [
    `type: kubernetes/v2, selectors: [{ name: prod }], ${at('b')}`,
    `type: identity, ${at('i')}`,
    `type: kubernetes/v2, selectors: [{ name: dev }], ${at('a')}`,
    `type: kubernetes, kubernetes_cluster: ${STAGING}, ${at('with blank')}`,
  ]);
  resultOf(run);
  assert.doesNotMatch(run.stderr, /warning/);
  const { KUBECONFIG: list = '' } = await exportedTo(job);
  assert.deepEqual(
    list.split(delimiter),
    ['b', 'a', 'with blank'].map((name) => join(job.folder, name, KUBECONFIG)),
  );
  const kubectl = async (...args: readonly string[]) => {
    const environment = { KUBECONFIG: list, HOME: job.folder };
    const { exitCode, stderr, stdout } = await runProgram('kubectl', args, { environment });
    assert.equal(exitCode, 0, stderr);
    return stdout.trim();
  };
  assert.equal(await kubectl('config', 'current-context'), 'example.teleport.test-prod');
  for (const name of ['prod', 'dev', STAGING]) {
    const context = `example.teleport.test-${name}`;
    assert.equal(await kubectl('get', 'pods', '-o', 'name', '--context', context), `pod/pod-of-${name}`);
  }
  const users = await kubectl('config', 'view', '-o', 'jsonpath={.users[*].name}');
  assert.equal(new Set(users.split(' ')).size, 3, users);
});

test('contexts have the names of the template', { skip }, async (t) => {
  const job = await beginJob(t, newest);
  const template = `context_name_template: '{{.KubeName}}@{{index .Labels "region"}}'`;
  resultOf(await runItems(newest, job, [v2(job, `selectors: [{ labels: { region: eu } }], ${template}`)]));
  const { contexts } = await configOf(job);
  assert.deepEqual(
    contexts.map(({ name }) => name),
    ['dev@eu', 'prod@eu'],
  );
  assert.equal(await podsIn(job, '--context', 'prod@eu', '--namespace', 'web'), 'pod/pod-of-prod');
});

test("Kubernetes' own client library reads the same file", async (t) => {
  for (const output of [v1, v2] as const) {
    const job = await beginJob(t, newest);
    const wish = output === v1 ? 'kubernetes_cluster: prod' : 'selectors: [{ name: prod }]';
    resultOf(await runItems(newest, job, [output(job, wish)]));
    const config = new KubeConfig();
    config.loadFromFile(join(job.destination, KUBECONFIG));
    const pods = await config.makeApiClient(CoreV1Api).listNamespacedPod({ namespace: 'web' });
    assert.deepEqual(
      pods.items.map(({ metadata }) => metadata?.name),
      ['pod-of-prod'],
    );
  }
});

for (const output of [v1, v2] as const) {
  const wish = output === v1 ? 'kubernetes_cluster: dev' : 'selectors: [{ name: dev }]';
  test(
    `${output === v1 ? 'kubernetes' : 'kubernetes/v2'}: without certificates in the file, kubectl gets them from the script`,
    { skip },
    async (t) => {
      const job = await beginJob(t, newest);
      resultOf(await runItems(newest, job, [output(job, `${wish}, disable_exec_plugin: false`)]));
      const text = await readFile(join(job.destination, KUBECONFIG), 'utf8');
      assert.doesNotMatch(text, /client-key-data/);
      assert.match(text, /kube-credentials/);
      assert.equal(await podsIn(job), 'pod/pod-of-dev');
      await writeFile(join(job.destination, 'identity'), 'not an identity');
      const broken = await kubectl(job, 'get', 'pods');
      assert.equal(broken.exitCode, 1);
      assert.match(broken.stderr, /IDENTITY_UNREADABLE[^]*exit code 1/);
    },
  );
}

test(
  'the certificate of one Kubernetes cluster gives no access to another, by path or by name',
  { skip },
  async (t) => {
    const job = await beginJob(t, newest);
    resultOf(await runItems(newest, job, [v1(job, 'kubernetes_cluster: dev')]));
    const [{ cluster } = { cluster: { server: '' } }] = (await configOf(job)).clusters;
    const { server } = cluster;
    await changeConfig(job, server, `${server}/v1/teleport/${encoded(newest.info.cluster)}/${encoded('prod')}`);
    await assertKubeRefuses(job, 403);
  },
);

test('a Kubernetes cluster that the roles do not allow cannot be reached by any path', { skip }, async (t) => {
  const job = await beginJob(t, newest);
  resultOf(await runItems(newest, job, [v2(job, 'selectors: [{ name: dev }]')]));
  await changeConfig(job, encoded('dev'), encoded('payroll'));
  await assertKubeRefuses(job, 404);
});

test('an identity without a Kubernetes cluster, or no identity, is refused', { skip }, async (t) => {
  const job = await beginJob(t, newest);
  resultOf(
    await runItems(newest, job, [
      v1(job, 'kubernetes_cluster: dev'),
      `type: identity, ${directory(`${job.folder}/other`)}`,
    ]),
  );
  const data = async (folder: string, name: string) => (await readFile(join(folder, name))).toString('base64');
  for (const name of ['tlscert', 'key']) {
    await changeConfig(job, await data(job.destination, name), await data(join(job.folder, 'other'), name));
  }
  await assertKubeRefuses(job, 400);
  const curl = ['--silent', '--insecure', '--connect-to', `::${newest.info.proxy}`, '--write-out', '%{http_code}'];
  const nobody = await runProgram('curl', [...curl, 'https://kube-teleport-proxy-alpn.teleport.cluster.local/version']);
  assert.match(nobody.stdout, /401$/);
});

async function changeConfig(job: Job, from: string, to: string): Promise<void> {
  const path = join(job.destination, KUBECONFIG);
  const text = await readFile(path, 'utf8');
  assert.ok(text.includes(from));
  await writeFile(path, text.replaceAll(from, to));
}

/** kubectl reports hardly anything about a refusal during discovery, but the cluster records the status. */
async function assertKubeRefuses(job: Job, status: number): Promise<void> {
  const { exitCode, stdout } = await kubectl(job, 'get', 'pods');
  assert.equal(exitCode, 1);
  assert.equal(stdout, '');
  assert.equal(newest.records.of('kubernetes').at(-1)?.outcome, `refused: ${String(status)}`);
}

function encoded(name: string): string {
  return Buffer.from(name).toString('base64url');
}

const refusals: readonly (readonly [what: string, output: (job: Job) => string, says: RegExp])[] = [
  [
    'is unknown',
    (job) => v1(job, 'kubernetes_cluster: nowhere'),
    /outputs\[0\] \(line 5\): kubernetes_cluster: Kubernetes cluster "nowhere" not found/,
  ],
  ['the roles do not see', (job) => v1(job, 'kubernetes_cluster: payroll'), /Kubernetes cluster "payroll" not found/],
  [
    'was discovered twice',
    (job) => v1(job, 'kubernetes_cluster: shared'),
    /discovered more than once.*shared-eks-eu-west-1/,
  ],
  [
    'a selector names in vain',
    (job) => v2(job, 'selectors: [{ name: nowhere }]'),
    /selectors\[0\]\.name: .*"nowhere" not found/,
  ],
];

for (const [what, output, says] of refusals) {
  test(`a Kubernetes cluster that ${what} is refused, and nothing is written`, async (t) => {
    const job = await beginJob(t, newest);
    const run = await runItems(newest, job, [output(job)]);
    assertRefused(run, { code: 'RESOURCE_UNKNOWN', says });
    assert.deepEqual([...(await listing(job.destination)).keys()], ['.']);
  });
}

test('labels that match no Kubernetes cluster are a warning if another selector matches one', async (t) => {
  const job = await beginJob(t, newest);
  const run = await runItems(newest, job, [v2(job, 'selectors: [{ labels: { env: none } }, { name: dev }]')]);
  resultOf(run);
  assert.match(run.stderr, /no Kubernetes cluster that the output may use has env=none/);
  assert.equal((await configOf(job)).contexts.length, 1);
});

for (const labels of ['env: none', "'*': '*'", "env: '*'"]) {
  test(`an output that matches no Kubernetes cluster with the labels ${labels} fails, and nothing is written`, async (t) => {
    const job = await beginJob(t, newest);
    const run = await runItems(newest, job, [v2(job, `selectors: [{ labels: { ${labels} } }]`)]);
    const isWildcard = labels.includes('*');
    assertRefused(run, {
      code: 'RESOURCE_UNKNOWN',
      says: /^outputs\[0\] \(line 5\): selectors\[0\]: no Kubernetes cluster that the output may use has /,
      hint: isWildcard ? /"\*" is not a wildcard/ : /^Compare the labels/,
    });
    const warning = /^warning: .* line 5: outputs\[0\]\.selectors\[0\]\.labels\.\S+: "\*" is not a wildcard here/m;
    assert.equal(warning.test(run.stderr), isWildcard, run.stderr);
    assert.deepEqual([...(await listing(job.destination)).keys()], ['.']);
  });
}

test('a wildcard in a name is rejected with its line before anything is contacted', async (t) => {
  for (const output of ["kubernetes_cluster: 'prod-*'", "kubernetes_cluster: '*'"]) {
    const job = await beginJob(t, newest);
    const run = await runItems(newest, job, [v1(job, output), v2(job, "selectors: [{ name: '^prod-.*$' }]")]);
    assert.equal(run.exitCode, 2);
    assert.match(run.stderr, /line 5: outputs\[0\]\.kubernetes_cluster: "\*" is not a wildcard in a name, and /);
    assert.match(run.stderr, /line 6: outputs\[1\]\.selectors\[0\]\.name: "\*" is not a wildcard in a name, and /);
    assert.deepEqual(newest.records.all, []);
  }
});

test('the error of kubernetes/v2 says what to write for a cluster without paths', async (t) => {
  const cluster = await clusterIn(authorities, t, { teleport: '15.3.7' });
  const job = await beginJob(t, cluster);
  const run = await runItems(cluster, job, [v2(job, 'selectors: [{ name: dev }]')]);
  assertRefused(run, {
    code: 'CLUSTER_UNSUPPORTED',
    says: /needs Teleport 17 or later.*15\.3\.7/,
    hint: /type "kubernetes"/,
  });
});

test('a certificate that is routed to another Kubernetes cluster is not written', async (t) => {
  const job = await beginJob(t, newest);
  misbehave(t, newest, { outputCertificates: 'routed-elsewhere' });
  const run = await runItems(newest, job, [v1(job, 'kubernetes_cluster: dev')]);
  assertRefused(run, {
    code: 'CERTIFICATE_MISMATCH',
    says: /routed to "elsewhere" \(1\.3\.9999\.1\.3\), requested "dev"/,
  });
  assert.deepEqual([...(await listing(job.destination)).keys()], ['.']);
});

test('flags are enough, and the kubeconfig has its own directory', { skip }, async (t) => {
  const job = await beginJob(t, newest);
  const result = resultOf(await job.run([...job.flags, '--kubernetes-cluster', 'prod', '--ssh', '--json']));
  assert.deepEqual(
    result.outputs.map(({ type, destination }) => `${type} ${destination}`),
    [`identity ${job.destination}`, `kubernetes ${join(job.destination, 'kubernetes')}`],
  );
  const { KUBECONFIG: path = '', TELEPORT_IDENTITY_FILE: identity } = await exportedTo(job);
  assert.equal(identity, join(job.destination, 'identity'));
  const { stdout } = await runProgram('kubectl', ['get', 'namespaces', '-o', 'name'], {
    environment: { KUBECONFIG: path, HOME: job.folder },
  });
  assert.equal(stdout, 'namespace/default\nnamespace/web\n');
});
