/** The CPU time of each command that a job or one of its programs calls; most of it is the start of the script. */
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { BUNDLE, joinArguments, runBundle, usageOf } from './bundle.ts';
import { startCluster } from './cluster.ts';
import { repeat, type Row, row } from './figures.ts';
import { firstLine } from './ssh.ts';

const RUNS = 10;

export async function measureStartup(folder: string): Promise<readonly Row[]> {
  const peer = spawn(process.execPath, ['bench/peer.cjs', '1'], { stdio: ['ignore', 'pipe', 'inherit'] });
  const cluster = await startCluster(folder, '18.6.0', ['--node', `web-1=${await firstLine(peer)}`]);
  try {
    const destination = join(folder, 'identity');
    const run = [...joinArguments(cluster), '--destination', destination];
    runBundle(cluster, run);
    const target = ['--user=ci', '--host=web-1', '--port=3022', `--cluster=${cluster.cluster}`];
    const commands: Readonly<Record<string, readonly string[]>> = {
      'node -e 0': ['-e', '0'],
      version: [BUNDLE, 'version'],
      'kube-credentials': [BUNDLE, 'kube-credentials', `--destination-dir=${destination}`],
      'ssh-proxy-command': [
        ...[BUNDLE, 'ssh-proxy-command', ...target],
        ...[`--proxy-server=${cluster.proxy}`, `--destination-dir=${destination}`],
      ],
      cleanup: [BUNDLE, 'cleanup'],
      run: [BUNDLE, ...run],
    };
    const rows: Row[] = [];
    for (const [name, command] of Object.entries(commands)) {
      rows.push(row(`CPU time, ${name}`, await repeat(() => usageOf(cluster, command).cpuMs, RUNS), 'ms'));
    }
    return rows;
  } finally {
    cluster.stop();
    peer.kill();
  }
}
