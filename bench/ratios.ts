/**
 * What the program costs beside the least that Node.js can do it with: each round measures every process once, one after
 * another, so that other load on the machine affects all of them alike.
 */
import { rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { BUNDLE, joinArguments, runBundle, usageOf } from './bundle.ts';
import { type BenchCluster, startCluster } from './cluster.ts';
import { listening } from './distance.ts';
import { against, type Figures, figuresOf, one, type Row, row, RUNS } from './figures.ts';
import { type Cost, costOf, type Measured } from './meter.ts';
import { configOf } from './outputs.ts';

const NODE = process.execPath;
const FLOOR = 'bench/floor-program.cjs';
/** Enough to see the time that each one takes, and few enough for the cores of a small machine. */
const MANY_OUTPUTS = 11;
const MEMORY_ROUNDS = 5;

interface Comparison {
  readonly name: string;
  readonly own: string;
  readonly other: string;
  readonly measure: keyof Cost;
  readonly atMost: number;
}

const COMPARISONS: readonly Comparison[] = [
  { name: 'run, Teleport 18', own: 'run 18', other: 'floor 18', measure: 'cpuMs', atMost: 1.5 },
  { name: 'run, Teleport 18', own: 'run 18', other: 'floor 18', measure: 'wallMs', atMost: 1.4 },
  { name: 'run, Teleport 15', own: 'run 15', other: 'floor 15', measure: 'cpuMs', atMost: 1.3 },
  { name: 'run, Teleport 15', own: 'run 15', other: 'floor 15', measure: 'wallMs', atMost: 1.3 },
  ...(['cpuMs', 'wallMs'] as const).flatMap((measure) => [
    { name: 'version', own: 'version', other: 'node', measure, atMost: 1.15 },
    { name: '--help', own: '--help', other: 'node', measure, atMost: 1.15 },
    { name: 'ssh-proxy-command, first byte', own: 'ssh-proxy-command', other: 'node', measure, atMost: 1.3 },
    { name: 'kube-credentials, first byte', own: 'kube-credentials', other: 'node', measure, atMost: 1.3 },
  ]),
];

const NAMES = { cpuMs: 'CPU', wallMs: 'wall time', node: 'node -e 0' } as const;
const MOST_MEMORY = 1.4;
const MOST_MS_AN_OUTPUT = 5;

export async function measureRatios(folder: string): Promise<readonly Row[]> {
  const [new18, old15] = [join(folder, '18'), join(folder, '15')];
  const [newest, oldest] = [await startCluster(new18, '18.6.0'), await startCluster(old15, '15.3.7')];
  const firstByte = await firstByteServer();
  try {
    const processes = processesOf({ new18, old15, newest, oldest, firstByte });
    const costs = await roundsOf(processes);
    const memory = memoryOf(newest, [BUNDLE, ...identity(newest, new18)]);
    return [...times(processes, costs), ...compared(costs), ...perOutput(costs), memory];
  } finally {
    newest.stop();
    oldest.stop();
    firstByte.close();
  }
}

interface Scene {
  readonly new18: string;
  readonly old15: string;
  readonly newest: BenchCluster;
  readonly oldest: BenchCluster;
  readonly firstByte: FirstByteServer;
}

/** Made anew for each round, with what it needs cleared away. */
type Processes = Readonly<Record<string, () => Measured>>;

function processesOf({ firstByte, new18, newest, old15, oldest }: Scene): Processes {
  const kept = join(new18, 'kept');
  runBundle(newest, [...joinArguments(newest), '--destination', kept]);
  const target = ['--user=ci', '--host=web-1', '--port=3022', `--cluster=${newest.cluster}`, '--no-connection-upgrade'];
  const ssh = [...target, `--proxy-server=localhost:${firstByte.port}`, `--destination-dir=${kept}`];
  const many = join(new18, 'many.yaml');
  writeFileSync(many, configOf(join(new18, 'many'), MANY_OUTPUTS));
  const runMany = [...joinArguments(newest), '--config', many];
  return {
    node: () => ({ command: [NODE, '-e', '0'] }),
    version: () => ({ command: [NODE, BUNDLE, 'version'] }),
    '--help': () => ({ command: [NODE, BUNDLE, '--help'] }),
    // As in the kubeconfig that run writes.
    'kube-credentials': () => ({
      command: [NODE, BUNDLE, 'kube-credentials', `--destination-dir=${kept}`],
      until: 'printed',
    }),
    // As in the ssh_config that run writes.
    'ssh-proxy-command': () => ({
      command: [NODE, '--use-openssl-ca', BUNDLE, 'ssh-proxy-command', ...ssh],
      until: firstByte.next(),
    }),
    'floor 18': () => floor(newest, '18'),
    'run 18': () => ({ command: [NODE, BUNDLE, ...identity(newest, new18)], token: newest.token }),
    [`run 18, ${MANY_OUTPUTS} outputs`]: () => {
      rmSync(join(new18, 'many'), { recursive: true, force: true });
      return { command: [NODE, BUNDLE, ...runMany], token: newest.token };
    },
    'floor 15': () => floor(oldest, '15'),
    'run 15': () => ({ command: [NODE, BUNDLE, ...identity(oldest, old15)], token: oldest.token }),
  };
}

function floor({ bot, cluster, joinToken, proxy, token, webCa }: BenchCluster, version: string): Measured {
  return { command: [NODE, FLOOR, version, proxy, webCa, joinToken, bot, cluster], token };
}

/** As in a job, the destination does not exist. */
function identity(cluster: BenchCluster, folder: string): readonly string[] {
  const destination = join(folder, 'out');
  rmSync(destination, { recursive: true, force: true });
  return [...joinArguments(cluster), '--destination', destination];
}

type Costs = ReadonlyMap<string, readonly Cost[]>;

async function roundsOf(processes: Processes): Promise<Costs> {
  const costs = new Map<string, Cost[]>(Object.keys(processes).map((name) => [name, []]));
  // The first round warms the disk's cache, and the clusters.
  for (let round = 0; round <= RUNS; round += 1) {
    for (const [name, measured] of Object.entries(processes)) {
      const cost = await costOf(measured());
      if (round > 0) costs.get(name)?.push(cost);
    }
  }
  return costs;
}

function times(processes: Processes, costs: Costs): readonly Row[] {
  return Object.keys(processes).flatMap((name) =>
    (['cpuMs', 'wallMs'] as const).map((measure) =>
      row(`${label(name)}, ${NAMES[measure]}`, figuresOf(valuesOf(costs, name, measure)), 'ms'),
    ),
  );
}

function label(name: string): string {
  if (name === 'node') return NAMES.node;
  return name.startsWith('kube') || name.startsWith('ssh') ? `${name}, first byte` : name;
}

function valuesOf(costs: Costs, name: string, measure: keyof Cost): readonly number[] {
  return (costs.get(name) ?? []).map((cost) => cost[measure]);
}

function compared(costs: Costs): readonly Row[] {
  return COMPARISONS.map(({ atMost, measure, name, other, own }) => {
    const [owns, others] = [valuesOf(costs, own, measure), valuesOf(costs, other, measure)];
    const ratios = figuresOf(owns.map((value, at) => value / (others[at] ?? NaN)));
    const ratio = middle(owns) / middle(others);
    const figures: Figures = { ...ratios, median: ratio };
    return row(`${name}, ${NAMES[measure]}`, figures, `× ${label(other)}`, against(ratio, atMost, `× ${label(other)}`));
  });
}

/** The mean of the middle half: a median of few whole milliseconds would be too coarse, and a mean follows the outliers. */
function middle(values: readonly number[]): number {
  const quarter = Math.floor(values.length / 4);
  const half = [...values].sort((a, b) => a - b).slice(quarter, values.length - quarter);
  return half.reduce((sum, value) => sum + value, 0) / half.length;
}

function perOutput(costs: Costs): readonly Row[] {
  const [single, many] = ['run 18', `run 18, ${MANY_OUTPUTS} outputs`];
  return (['wallMs', 'cpuMs'] as const).map((measure) => {
    const each =
      (middle(valuesOf(costs, many, measure)) - middle(valuesOf(costs, single, measure))) / (MANY_OUTPUTS - 1);
    const goal = against(each, MOST_MS_AN_OUTPUT, 'ms');
    return row(`each additional output, ${NAMES[measure]}`, one(each), 'ms', measure === 'wallMs' ? goal : undefined);
  });
}

function memoryOf(cluster: BenchCluster, run: readonly string[]): Row {
  const [owns, others]: [number[], number[]] = [[], []];
  for (let round = 0; round < MEMORY_ROUNDS; round += 1) {
    owns.push(usageOf(cluster, run).peakMb);
    others.push(usageOf(cluster, ['-e', '0']).peakMb);
  }
  const ratio = middle(owns) / middle(others);
  const figures = { ...figuresOf(owns.map((own, at) => own / (others[at] ?? NaN))), median: ratio };
  const unit = `× ${NAMES.node}`;
  return row('run, Teleport 18, peak memory', figures, unit, against(ratio, MOST_MEMORY, unit));
}

interface FirstByteServer {
  readonly port: number;
  /** Resolves at the first byte of the next connection. */
  readonly next: () => Promise<void>;
  readonly close: () => void;
}

async function firstByteServer(): Promise<FirstByteServer> {
  let onByte: () => void = () => undefined;
  const server = createServer((socket) => {
    socket.on('error', () => undefined);
    socket.once('data', () => {
      onByte();
    });
  });
  const port = await listening(server);
  return {
    port,
    next: () =>
      new Promise((resolve) => {
        onByte = resolve;
      }),
    close: () => server.close(),
  };
}
