/**
 * Programs that start Node with our files do so without the job's preloads, and with its options for memory and
 * certificates.
 */
import assert from 'node:assert/strict';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { userInfo } from 'node:os';
import { join } from 'node:path';
import test, { type TestContext } from 'node:test';
import { directory, runItems } from './config-file.ts';
import { clusterForFile } from './embedded-cluster.ts';
import { beginJob, type Job } from './job.ts';
import { missing, program, runProgram } from '../programs.ts';
import { resultOf } from './run-result.ts';
import { sshOptions, startNode } from './ssh-node.ts';

const user = userInfo().username;
const cluster = await clusterForFile({ extraLogins: [user] });
const HOST = `web-1.${cluster.info.cluster}`;
const KEPT = '--max-old-space-size=512 "--openssl-config=/dev/null"';

/** Variables of a later step, whose preload writes a file and then fails. */
async function preload({ folder }: Job): Promise<Readonly<Record<string, string>>> {
  await mkdir(join(folder, 'node_modules'), { recursive: true });
  const hook = join(folder, 'hook.cjs');
  await writeFile(
    hook,
    `require('node:fs').writeFileSync(${JSON.stringify(`${folder}/entered`)}, ''); process.exit(9);\n`,
  );
  return { NODE_OPTIONS: `--require ${hook} --inspect=0`, HOME: folder };
}

async function assertNotEntered({ folder }: Job): Promise<void> {
  await assert.rejects(readFile(join(folder, 'entered')), { code: 'ENOENT' });
}

async function beginSsh(t: TestContext): Promise<Job> {
  const job = await beginJob(t, cluster);
  resultOf(await job.run([...job.flags, '--json'], { environment: { NODE_OPTIONS: KEPT } }));
  await startNode(t, cluster, job, { name: 'web-1' });
  return job;
}

for (const shell of ['dash', 'bash', 'zsh']) {
  const skip = missing('ssh', 'sshd', 'ssh-keygen', shell);
  test(`with ${shell} as the user's shell, ssh starts Node with the kept part of NODE_OPTIONS`, { skip }, async (t) => {
    const job = await beginSsh(t);
    const config = await readFile(join(job.destination, 'ssh_config'), 'utf8');
    assert.match(config, /ProxyCommand env NODE_OPTIONS='--max-old-space-size=512 --openssl-config=\/dev\/null' /);
    const environment = { ...(await preload(job)), SHELL: program(shell) };
    const { exitCode, stderr, stdout } = await runProgram(
      'ssh',
      [...sshOptions(job), `${user}@${HOST}`, 'echo there'],
      {
        environment,
      },
    );
    assert.equal(exitCode, 0, stderr);
    assert.equal(stdout, 'there\n');
    await assertNotEntered(job);
  });
}

test('kubectl starts Node with the kept part of NODE_OPTIONS', { skip: missing('kubectl') }, async (t) => {
  const job = await beginJob(t, cluster);
  const place = directory(job.destination);
  resultOf(
    await runItems(cluster, job, [`type: kubernetes, kubernetes_cluster: dev, disable_exec_plugin: false, ${place}`]),
  );
  const environment = { ...(await preload(job)), KUBECONFIG: join(job.destination, 'kubeconfig.yaml') };
  const { exitCode, stderr, stdout } = await runProgram('kubectl', ['get', 'pods', '-o', 'name'], { environment });
  assert.equal(exitCode, 0, stderr);
  assert.equal(stdout, 'pod/pod-of-dev\n');
  await assertNotEntered(job);
});
