/** `ssh-proxy-command`: how soon the first byte of the node comes, and how many follow, beside socat's plain pipe. */
import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { BUNDLE, joinArguments, runBundle } from './bundle.ts';
import { startCluster } from './cluster.ts';
import { against, type Figures, repeat, type Row, row, RUNS, timed } from './figures.ts';

const MEBIBYTES = 512;
const MOST_MS_TO_FIRST_BYTE = 150;
const LEAST_SHARE_OF_SOCAT = 0.5;

export async function measureSsh(folder: string, nodeStart: Figures): Promise<readonly Row[]> {
  const peer = spawn(process.execPath, ['bench/peer.cjs', String(MEBIBYTES)], { stdio: ['ignore', 'pipe', 'inherit'] });
  const port = await firstLine(peer);
  const cluster = await startCluster(join(folder, 'ssh'), '18.6.0', ['--node', `web-1=${port}`]);
  try {
    const destination = join(folder, 'ssh-identity');
    runBundle(cluster, [...joinArguments(cluster), '--destination', destination]);
    const target = ['--user=ci', '--host=web-1', '--port=3022', `--cluster=${cluster.cluster}`];
    const flags = [...target, `--proxy-server=${cluster.proxy}`, `--destination-dir=${destination}`];
    const ours = [process.execPath, BUNDLE, 'ssh-proxy-command', ...flags];
    const firstByte = await repeat(() => timed(() => untilFirstByte(ours)));
    const over = firstByte.median - nodeStart.median;
    const runs = Math.ceil(RUNS / 5);
    const socat = await repeat(() => mebibytesASecond(['socat', '-u', `TCP:127.0.0.1:${port}`, '-']), runs);
    const own = await repeat(() => mebibytesASecond(ours), runs);
    const memory = await repeat(() => peakOf(ours, join(folder, 'peak-ssh')), 3);
    const goal = socat.median * LEAST_SHARE_OF_SOCAT;
    return [
      row('ssh-proxy-command, first byte', firstByte, 'ms', against(over, MOST_MS_TO_FIRST_BYTE, 'ms over node -e 0')),
      row(`socat, ${String(MEBIBYTES)} MiB from the node`, socat, 'MiB/s'),
      row(`ssh-proxy-command, ${String(MEBIBYTES)} MiB`, own, 'MiB/s', against(own.median, goal, 'MiB/s', false)),
      row('ssh-proxy-command, peak memory', memory, 'MB', against(memory.median, 150, 'MB')),
    ];
  } finally {
    cluster.stop();
    peer.kill();
  }
}

async function firstLine({ stdout }: ChildProcess): Promise<string> {
  if (stdout === null) throw new Error('no output to read');
  for await (const line of createInterface({ input: stdout })) return line;
  throw new Error('the peer ended before it was ready');
}

async function untilFirstByte([program = '', ...args]: readonly string[]): Promise<void> {
  const child = spawn(program, args, { stdio: ['pipe', 'pipe', 'inherit'] });
  await once(child.stdout, 'readable');
  child.kill('SIGKILL');
}

/** To /dev/null, so that nothing but the program itself holds the bytes up. */
async function mebibytesASecond([program = '', ...args]: readonly string[]): Promise<number> {
  const elapsedMs = await timed(() => execFileSync(program, args, { stdio: ['pipe', 'ignore', 'inherit'] }));
  return MEBIBYTES / (elapsedMs / 1000);
}

function peakOf([program = '', bundle = '', ...args]: readonly string[], peakFile: string): number {
  const script = 'exec 3>"$PEAK_FILE"; exec "$0" "$@"';
  const command = [program, '--require', './bench/peak-memory.cjs', bundle, ...args];
  execFileSync('sh', ['-c', script, ...command], {
    stdio: ['pipe', 'ignore', 'inherit'],
    env: { ...process.env, PEAK_FILE: peakFile },
  });
  return Number(execFileSync('cat', [peakFile], { encoding: 'utf8' })) / 1024;
}
