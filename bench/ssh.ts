/** `ssh-proxy-command`: the time to the first byte of the node, and the throughput, compared with a plain socat pipe. */
import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import * as z from 'zod/mini';
import { BUNDLE, joinArguments, runBundle, usageOf } from './bundle.ts';
import { startCluster } from './cluster.ts';
import { against, type Figures, repeat, repeatInTurns, type Row, row, RUNS, timed } from './figures.ts';

const TransportServer = z.object({ port: z.number(), certificate: z.string(), key: z.string() });
const MEBIBYTES = 512;
const MOST_MS_TO_FIRST_BYTE = 150;
const LEAST_PERCENT_OF_SOCAT = 50;

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
    const runs = Math.max(3, Math.ceil(RUNS / 5));
    const throughCluster = await repeat(() => mebibytesASecond(ours), runs);
    const memory = await repeat(() => usageOf(cluster, ours.slice(1)).peakMb, 3);
    return [
      row('ssh-proxy-command, first byte', firstByte, 'ms', against(over, MOST_MS_TO_FIRST_BYTE, 'ms over node -e 0')),
      ...(await measureThroughput(folder, port, target, runs)),
      row('… through the embedded cluster', throughCluster, 'MiB/s'),
      row('ssh-proxy-command, peak memory', memory, 'MB', against(memory.median, 150, 'MB')),
    ];
  } finally {
    cluster.stop();
    peer.kill();
  }
}

/** Uses a server that needs little CPU time, since both share the processor. */
async function measureThroughput(
  folder: string,
  nodePort: string,
  target: readonly string[],
  runs: number,
): Promise<readonly Row[]> {
  const server = spawn(process.execPath, ['scripts/run.mjs', 'bench/transport-server.ts', String(MEBIBYTES)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  try {
    const { certificate, key, port } = TransportServer.parse(JSON.parse(await firstLine(server)));
    const destination = join(folder, 'transport-identity');
    mkdirSync(destination);
    // One self-signed certificate is used for the server, the identity and the authority.
    const identity = [key, certificate, certificate].map((pem) => `${pem.trimEnd()}\n`).join('');
    writeFileSync(join(destination, 'identity'), identity);
    const flags = [...target, `--proxy-server=localhost:${String(port)}`, `--destination-dir=${destination}`];
    const { other, own, share } = await repeatInTurns(
      () => mebibytesASecond([process.execPath, BUNDLE, 'ssh-proxy-command', ...flags]),
      () => mebibytesASecond(['socat', '-u', `TCP:127.0.0.1:${nodePort}`, '-']),
      runs,
    );
    const percent = share.median * 100;
    return [
      row(`socat, ${String(MEBIBYTES)} MiB from the node`, other, 'MiB/s'),
      row(
        `ssh-proxy-command, ${String(MEBIBYTES)} MiB`,
        own,
        'MiB/s',
        against(percent, LEAST_PERCENT_OF_SOCAT, '% of socat', false),
      ),
    ];
  } finally {
    server.kill();
  }
}

export async function firstLine({ stdout }: ChildProcess): Promise<string> {
  if (stdout === null) throw new Error('no output to read');
  for await (const line of createInterface({ input: stdout })) return line;
  throw new Error('the peer ended before it was ready');
}

async function untilFirstByte([program = '', ...args]: readonly string[]): Promise<void> {
  const child = spawn(program, args, { stdio: ['pipe', 'pipe', 'inherit'] });
  await once(child.stdout, 'readable');
  child.kill('SIGKILL');
}

/** Counts the bytes with wc, which needs almost no time: otherwise, a pipe that ends early would look fast. */
async function mebibytesASecond(command: readonly string[]): Promise<number> {
  let counted = '';
  const elapsedMs = await timed(() => {
    const args = ['-c', '"$@" | wc -c', 'sh', ...command];
    counted = execFileSync('sh', args, { encoding: 'utf8', stdio: ['pipe', 'pipe', 'inherit'] });
  });
  const mebibytes = Number(counted) / 1024 ** 2;
  if (mebibytes !== MEBIBYTES) throw new Error(`${command[0] ?? ''}: ${mebibytes} of ${MEBIBYTES} MiB came`);
  return mebibytes / (elapsedMs / 1000);
}
