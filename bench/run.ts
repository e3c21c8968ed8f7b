/** Measures `run` as a user feels it: whole processes against the embedded cluster, beside the floor on this machine. */
import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { generateKeyPair } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { connect } from 'node:tls';
import { promisify } from 'node:util';
import * as z from 'zod/mini';

const RUNS = Number(process.env.BENCH_RUNS ?? '25');
const BUNDLE = 'dist/machine-id.cjs';

const ClusterInfo = z.object({ proxy: z.string(), webCa: z.string(), joinToken: z.string() });
type ClusterInfo = z.infer<typeof ClusterInfo>;

interface Figures {
  readonly min: number;
  readonly median: number;
  readonly max: number;
}

const folder = mkdtempSync(join(tmpdir(), 'machine-id-bench-'));
try {
  const rows: string[][] = [];
  const floor = await measureFloor();
  for (const [name, figures] of Object.entries(floor)) rows.push([name, ...shown(figures, 'ms')]);
  const floorMs = Object.values(floor).reduce((sum, { median }) => sum + median, 0);
  rows.push(['floor (sum of medians)', '', floorMs.toFixed(0), '', '']);
  for (const teleport of ['15.3.7', '17.5.0', '18.6.0']) rows.push(...(await measureProfile(teleport, floorMs)));
  print(rows);
} finally {
  rmSync(folder, { recursive: true, force: true });
}

async function measureProfile(teleport: string, floorMs: number): Promise<string[][]> {
  const directory = join(folder, teleport);
  const { child, info } = await startCluster(directory, teleport);
  try {
    const token = mint(directory);
    const wall = await repeat(() => timeRun(info, token));
    const memory = await repeat(() => Promise.resolve(peakMemoryMb(info, token)), 5);
    return [
      [`run, Teleport ${teleport}`, ...shown(wall, 'ms'), `+${(wall.median - floorMs).toFixed(0)} ms over the floor`],
      [`run, Teleport ${teleport}, peak memory`, ...shown(memory, 'MB')],
    ];
  } finally {
    child.kill('SIGTERM');
  }
}

async function measureFloor(): Promise<Record<string, Figures>> {
  const { child, info } = await startCluster(join(folder, 'floor'), '18.6.0');
  try {
    return {
      'node -e 0': await repeat(() => timed(() => execFileSync(process.execPath, ['-e', '0']))),
      'one TLS handshake': await repeat(() => handshake(info)),
      'one RSA-2048 key pair': await repeat(() =>
        timed(() => promisify(generateKeyPair)('rsa', { modulusLength: 2048 })),
      ),
    };
  } finally {
    child.kill('SIGTERM');
  }
}

function handshake({ proxy, webCa }: ClusterInfo): Promise<number> {
  const [host = '', port = ''] = proxy.split(':');
  const ca = readFileSync(webCa);
  return timed(
    () =>
      new Promise<void>((resolve, reject) => {
        const socket = connect({ host, port: Number(port), ca, ALPNProtocols: ['http/1.1'] }, () => {
          socket.destroy();
          resolve();
        });
        socket.once('error', reject);
      }),
  );
}

function timeRun(info: ClusterInfo, token: string): Promise<number> {
  return timed(() => execFileSync(process.execPath, [BUNDLE, ...runArguments(info)], runOptions(token)));
}

function peakMemoryMb(info: ClusterInfo, token: string): number {
  const args = ['--require', './bench/peak-memory.cjs', BUNDLE, ...runArguments(info)];
  const script = 'exec 3>"$PEAK_FILE"; exec "$0" "$@"';
  const peakFile = join(folder, 'peak');
  const options = runOptions(token);
  execFileSync('sh', ['-c', script, process.execPath, ...args], {
    ...options,
    env: { ...options.env, PEAK_FILE: peakFile },
  });
  return Number(readFileSync(peakFile, 'utf8')) / 1024;
}

function runArguments({ proxy, joinToken, webCa }: ClusterInfo): string[] {
  const destination = join(folder, 'out');
  return [
    'run',
    '--proxy-server',
    proxy,
    '--token',
    joinToken,
    '--destination',
    destination,
    '--ca-file',
    webCa,
    '--no-export',
  ];
}

function runOptions(token: string) {
  return { env: { PATH: process.env.PATH, CIRCLE_OIDC_TOKEN: token }, stdio: 'ignore' as const };
}

function mint(directory: string): string {
  const args = ['--import', 'tsx', 'test/cluster/main.ts', 'mint', '--dir', directory];
  return execFileSync(process.execPath, args, { encoding: 'utf8' }).trim();
}

async function startCluster(directory: string, teleport: string): Promise<{ child: ChildProcess; info: ClusterInfo }> {
  const args = ['--import', 'tsx', 'test/cluster/main.ts', '--dir', directory, '--teleport', teleport];
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  for await (const line of createInterface({ input: child.stdout })) {
    return { child, info: ClusterInfo.parse(JSON.parse(line)) };
  }
  throw new Error('the cluster ended before it was ready');
}

async function timed(work: () => unknown): Promise<number> {
  const start = performance.now();
  await work();
  return performance.now() - start;
}

async function repeat(measure: () => Promise<number>, runs = RUNS): Promise<Figures> {
  await measure(); // a first one warms the disk's cache
  const values: number[] = [];
  for (let run = 0; run < runs; run += 1) values.push(await measure());
  values.sort((a, b) => a - b);
  return { min: values[0] ?? 0, median: values[Math.floor(values.length / 2)] ?? 0, max: values.at(-1) ?? 0 };
}

function shown({ min, median, max }: Figures, unit: string): string[] {
  return [min.toFixed(0), median.toFixed(0), max.toFixed(0), unit];
}

function print(rows: readonly string[][]): void {
  console.log(
    `${RUNS} runs each; ${cpus()[0]?.model ?? 'unknown CPU'}, ${cpus().length} cores, Node ${process.version}`,
  );
  console.log(`bundle ${(statSync(BUNDLE).size / 1024).toFixed(0)} KB\n`);
  const table = [['what', 'min', 'median', 'max', 'unit', ''], ...rows];
  for (const [name = '', ...cells] of table) {
    console.log(`${name.padEnd(38)}${cells.map((cell, at) => (at < 3 ? cell.padStart(8) : `  ${cell}`)).join('')}`);
  }
}
