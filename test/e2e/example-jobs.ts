/** Runs usage examples of the orb and configs of documents as jobs on this machine, with the embedded cluster. */
import assert from 'node:assert/strict';
import { chmod, mkdir, readFile, symlink, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import test, { after, type TestContext } from 'node:test';
import { parse, stringify } from 'yaml';
import { isMapping } from '../job-runner/mapping.ts';
import { type JobResult, runJob } from '../job-runner/run-job.ts';
import { jobsOf } from '../orb/examples.ts';
import { packedWith } from '../orb/source.ts';
import { temporaryFolder } from '../temporary-folder.ts';
import { clusterForFile } from './embedded-cluster.ts';
import { missingPostgres, startPostgres } from './postgres.ts';
import { BUNDLE } from './run-bundle.ts';

export const cluster = await clusterForFile();
const { contextId, joinToken, organizationId, projectId, proxy, webCa } = cluster.info;
const orders = cluster.resources.databases.find(({ name }) => name === 'orders');
const withoutDatabase = await missingPostgres();
if (orders !== undefined && withoutDatabase === undefined) orders.port = await startPostgres({ after }, cluster);
const orb = packedWith(await readFile(BUNDLE));

/**
 * Stand-ins for the programs of the examples; other tests run the real programs with our files. Each prints its name
 * and arguments, and fails if a file that it reads is missing and no tunnel replaces it. It reads its input, because writing to a pipe without a
 * reader fails.
 */
const READS: Readonly<Record<string, readonly string[]>> = {
  ssh: ['MACHINE_ID_DESTINATION'],
  scp: ['MACHINE_ID_DESTINATION'],
  'ansible-playbook': ['MACHINE_ID_DESTINATION'],
  kubectl: ['KUBECONFIG'],
  helm: ['KUBECONFIG'],
  terraform: ['TF_TELEPORT_IDENTITY_FILE_PATH'],
  tctl: ['TELEPORT_IDENTITY_FILE'],
  tsh: ['TELEPORT_IDENTITY_FILE'],
  curl: ['MACHINE_ID_DESTINATION'],
  go: ['TELEPORT_IDENTITY_FILE'],
  mysql: ['MACHINE_ID_DESTINATION'],
  openssl: ['MACHINE_ID_DESTINATION'],
  aws: ['MACHINE_ID_DESTINATION'],
  pip: [],
  sudo: [],
};

/** It reads a certificate, or what leads to a tunnel. */
const PSQL = `if [ -n "\${PGPORT-}" ]; then [ -n "$PGHOST" ] && [ -n "$PGUSER" ] && [ -n "$PGDATABASE" ]
else [ -e "$PGSSLCERT" ] && [ -e "$PGSSLKEY" ] && [ -e "$PGSSLROOTCERT" ]
fi || exit 9
echo "psql $*"
`;

async function addStandIns(folder: string): Promise<void> {
  await writeFile(join(folder, 'psql'), `#!/bin/sh\n${PSQL}`, { mode: 0o755 });
  for (const [name, variables] of Object.entries(READS)) {
    const checks = variables.map(
      (variable) =>
        `[ -e "$${variable}" ] || env | grep -q '^MACHINE_ID_TUNNEL_' || { echo "no $${variable}" >&2; exit 9; }`,
    );
    const path = join(folder, name);
    await writeFile(path, ['#!/bin/sh', ...checks, 'cat > /dev/null', `echo "${name} $*"`, ''].join('\n'));
    await chmod(path, 0o755);
  }
  // The destination in the example for Windows.
  await symlink('/bin/bash', join(folder, 'bash.exe'));
}

/** Other tests, with their own server, cover the download of Teleport's programs. */
function installsTools(step: unknown): boolean {
  return isMapping(step) && 'machine-id/install_tools' in step;
}

/** Where doctor tries the downloads. */
const WITHOUT_INTERNET = {
  download_url: 'https://localhost:1/machine-id.cjs',
  node_mirror: 'https://localhost:1',
  cdn_base_url: 'https://localhost:1',
};

/** The values of a guard that lets the job pass. */
const EXPECTED: Readonly<Record<string, string>> = {
  expect_cluster: cluster.info.cluster,
  expect_bot: 'ci',
  expect_project: projectId,
};

/** What a user would change in a copy of the example: the names of the cluster, and the source of the script. */
function adapted(value: unknown, home: string): unknown {
  if (Array.isArray(value)) return value.filter((item) => !installsTools(item)).map((item) => adapted(item, home));
  if (value === 'machine-id/install') return { 'machine-id/install': { bundle_path: resolve(BUNDLE) } };
  if (value === 'machine-id/doctor') return { 'machine-id/doctor': { ca_file: webCa } };
  if (value === 'machine-id/join') return { 'machine-id/join': { ca_file: webCa } };
  if (typeof value === 'string')
    return value.replaceAll('/home/circleci', home).replaceAll('/var/lib/ci', join(home, 'ci'));
  if (!isMapping(value)) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, item]) => {
      if (key === 'proxy' && typeof item === 'string' && !item.startsWith('$')) return [key, proxy];
      if (key === 'token' && typeof item === 'string' && !item.startsWith('$')) return [key, joinToken];
      const expected = EXPECTED[key];
      if (expected !== undefined) return [key, expected];
      const inner = adapted(item, home);
      if (!isMapping(inner)) return [key, inner];
      // The same applies to the download of the script.
      const rest = Object.fromEntries(
        Object.entries(inner).filter(([name]) => name !== 'download_url' && name !== 'tools'),
      );
      const bundle_path = resolve(BUNDLE);
      if (key === 'machine-id/install') return [key, { ...rest, bundle_path }];
      if (key === 'machine-id/join' || key === 'machine-id/exec') return [key, { ...rest, ca_file: webCa }];
      if (key === 'machine-id/tunnel') {
        const database_name = 'database' in rest ? { database_name: 'orders' } : {};
        return [key, { ...rest, ...database_name, ca_file: webCa }];
      }
      if (key === 'machine-id/doctor') return [key, { ...rest, ...WITHOUT_INTERNET, ca_file: webCa }];
      if (key === 'machine-id/run') return [key, { ...rest, bundle_path, ca_file: webCa }];
      return [key, inner];
    }),
  );
}

const tokenFile = stringify({
  kind: 'token',
  version: 'v2',
  metadata: { name: 'deploy' },
  spec: {
    roles: ['Bot'],
    bot_name: 'deploy',
    join_method: 'circleci',
    circleci: { organization_id: organizationId, allow: [{ project_id: projectId, context_id: contextId }] },
  },
});

async function project(t: TestContext): Promise<{ home: string; programs: string; source: string }> {
  const home = await temporaryFolder(t);
  const [programs, source] = [join(home, 'bin'), join(home, 'source')];
  for (const folder of [programs, join(source, 'roles'), join(source, 'ci'), join(source, 'tokens')])
    await mkdir(folder, { recursive: true });
  await addStandIns(programs);
  await writeFile(join(source, 'roles/web.yaml'), 'kind: role\n');
  await writeFile(join(source, 'tokens/deploy.yaml'), tokenFile);
  await writeFile(join(source, 'migration.sql'), 'SELECT 1;\n');
  for (const script of ['deploy.sh', 'migrate.sh']) {
    await writeFile(join(source, script), '#!/bin/sh\n', { mode: 0o755 });
  }
  const outputs = `outputs: [{ type: identity, destination: { type: directory, path: ${join(home, 'of-file')} } }]`;
  const onboarding = `onboarding: { join_method: circleci, token: ${joinToken} }`;
  for (const place of ['tbot.yaml', 'ci/tbot.yaml']) {
    await writeFile(join(source, place), `version: v2\nproxy_server: ${proxy}\n${onboarding}\n${outputs}\n`);
  }
  return { home, programs, source };
}

/** One test for each job of each config. @param configs keyed by the place of each */
export function testJobs(configs: Iterable<readonly [string, string]>): void {
  for (const [path, config] of configs) {
    for (const job of jobsOf(config)) {
      const skip = config.includes('machine-id/tunnel') && withoutDatabase !== undefined ? withoutDatabase : false;
      test(`${path}: the job ${job} succeeds`, { skip }, async (t) => {
        const { exitCode, steps } = await runExample(t, { config: parse(config), job, token: await cluster.mint() });
        assert.equal(exitCode, 0, steps.map(({ name, stderr, stdout }) => `${name}: ${stdout}${stderr}`).join('\n'));
        // A job that only sets up does not join.
        const joins = config.includes('machine-id/join') || config.includes('machine-id/run');
        assert.equal(
          steps.some(({ stderr }) => stderr.includes(` for ${cluster.info.cluster} (Teleport `)),
          joins,
        );
      });
    }
  }
}

/** @param config not yet changed to the names of this cluster */
export async function runExample(
  t: TestContext,
  { config, job, token }: { readonly config: unknown; readonly job: string; readonly token: string },
): Promise<JobResult> {
  const { home, programs, source } = await project(t);
  return runJob({
    config: stringify(adapted(config, home)),
    orbs: { 'machine-id': orb },
    job,
    home,
    checkoutFrom: source,
    environment: {
      CIRCLE_OIDC_TOKEN: token,
      PATH: `${programs}:${process.env.PATH ?? ''}`,
      TELEPORT_ADDRESS: proxy,
      TELEPORT_JOIN_TOKEN_NAME: joinToken,
    },
  });
}
