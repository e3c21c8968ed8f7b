/** `npm run demo`: runs a CircleCI job on this machine, in which the packed orb joins the embedded cluster. */
import { spawn, type ChildProcess } from 'node:child_process';
import { mkdir, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { startCluster } from '../test/cluster/cluster.ts';
import { runJob } from '../test/job-runner/run-job.ts';

const folder = await mkdtemp(join(tmpdir(), 'machine-id-demo-'));
const startMs = performance.now();
try {
  process.exitCode = await demo();
} finally {
  await rm(folder, { recursive: true, force: true });
}

async function demo(): Promise<number> {
  say('Packing the orb');
  await finished(spawn('npm', ['run', '--silent', 'orb:pack'], { stdio: 'inherit' }));
  say('Starting a Teleport cluster on this machine');
  const cluster = await startCluster({ dir: join(folder, 'cluster'), teleport: '18.6.0' });
  try {
    const { proxy, cluster: name, teleport, webCa, joinToken } = cluster.info;
    say(`${name}, Teleport ${teleport}, Proxy ${proxy}`);
    const home = join(folder, 'home');
    await mkdir(home);
    const { exitCode } = await runJob({
      config: await readFile('scripts/demo/config.yml', 'utf8'),
      orbs: { 'machine-id': await readFile('build/orb.yml', 'utf8') },
      job: 'deploy',
      home,
      environment: {
        CIRCLE_OIDC_TOKEN: await cluster.mint(),
        DEMO_BUNDLE: resolve('dist/machine-id.cjs'),
        DEMO_PROXY: proxy,
        DEMO_JOIN_TOKEN: joinToken,
        DEMO_WEB_CA: webCa,
      },
      onStep: (step) => {
        say(`Step: ${step}`);
      },
      onOutput: (text, stream) => process[stream].write(text),
    });
    const seconds = ((performance.now() - startMs) / 1000).toFixed(1);
    say(
      exitCode === 0 ? `The job succeeded; the demo took ${seconds} s.` : `The job failed with exit code ${exitCode}.`,
    );
    return exitCode;
  } finally {
    await cluster.close();
  }
}

function finished(child: ChildProcess): Promise<void> {
  return new Promise((done, fail) => {
    child.once('error', fail);
    child.once('exit', (code) => {
      if (code === 0) done();
      else fail(new Error(`${child.spawnfile} ended with ${String(code)}`));
    });
  });
}

function say(text: string): void {
  console.log(`\n\u2014 ${text}`);
}
