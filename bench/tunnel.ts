/** A tunnel, compared with a plain TLS pipe by socat of the same shape: throughput, round trips, and many connections. */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import { createServer } from 'node:tls';
import { setTimeout as delay } from 'node:timers/promises';
import { selfSigned } from '../test/tls-certificate.ts';
import { against, one, repeatInTurns, type Row, row, RUNS, timed } from './figures.ts';
import { firstLine } from './ssh.ts';

const MEBIBYTES = 512;
const LEAST_PERCENT_OF_SOCAT = 70;
const MOST_ADDED_US = 100;
const ROUND_TRIPS = 2000;
const SHORT = 10_000;
const AT_ONCE = 1000;
const ROUNDS = 5;

export async function measureTunnel(folder: string): Promise<readonly Row[]> {
  mkdirSync(folder, { recursive: true });
  const [server, client] = await Promise.all([selfSigned('localhost'), selfSigned('client')]);
  const files = { 'server.crt': server.certificate, 'server.key': server.key, 'client.crt': client.certificate };
  for (const [name, text] of Object.entries({ ...files, 'client.key': client.key }))
    writeFileSync(join(folder, name), text);
  const children: ChildProcess[] = [];
  try {
    const peer = spawn(process.execPath, ['bench/peer.cjs', String(MEBIBYTES)], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    children.push(peer);
    const source = await socat(children, { folder, to: `TCP:127.0.0.1:${await firstLine(peer)}`, tls: 'listens' });
    const echo = await startEcho(folder);
    const toSource = await paths(children, folder, source);
    const toEcho = await paths(children, folder, echo);
    const runs = Math.max(3, Math.ceil(RUNS / 5));
    const throughput = await repeatInTurns(
      () => mebibytesASecond(toSource.tunnel),
      () => mebibytesASecond(toSource.socat),
      runs,
    );
    const latency = await repeatInTurns(
      () => roundTripUs(toEcho.tunnel),
      () => roundTripUs(toEcho.socat),
      runs,
    );
    const percent = throughput.share.median * 100;
    const added = latency.own.median - latency.other.median;
    return [
      row(`socat with TLS, ${MEBIBYTES} MiB`, throughput.other, 'MiB/s'),
      row(
        `tunnel, ${MEBIBYTES} MiB`,
        throughput.own,
        'MiB/s',
        against(percent, LEAST_PERCENT_OF_SOCAT, '% of socat', false),
      ),
      row('socat with TLS, round trip', latency.other, 'µs'),
      row('tunnel, round trip', latency.own, 'µs', against(added, MOST_ADDED_US, 'µs over socat')),
      ...(await manyConnections(toEcho)),
    ];
  } finally {
    for (const child of children) child.kill();
  }
}

interface Paths {
  readonly tunnel: number;
  readonly socat: number;
  readonly processId: number;
}

/** Ports that lead to the TLS server at `port`, by either program. */
async function paths(children: ChildProcess[], folder: string, port: number): Promise<Paths> {
  const args = ['scripts/run.mjs', 'bench/tunnel-process.ts', folder, String(port)];
  const tunnel = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  children.push(tunnel);
  const own = Number(await firstLine(tunnel));
  const other = await socat(children, { folder, to: `localhost:${String(port)}`, tls: 'connects' });
  return { tunnel: own, socat: other, processId: tunnel.pid ?? 0 };
}

interface Pipe {
  readonly folder: string;
  readonly to: string;
  readonly tls: 'listens' | 'connects';
}

let nextPort = 21_000 + Math.floor(Math.random() * 10_000);

async function socat(children: ChildProcess[], { folder, tls, to }: Pipe): Promise<number> {
  nextPort += 1;
  const listens = `${String(nextPort)},fork,reuseaddr,bind=127.0.0.1,nodelay`;
  const file = (name: string) => join(folder, name);
  const server = `cert=${file('server.crt')},key=${file('server.key')},cafile=${file('client.crt')},verify=1`;
  const client = `cert=${file('client.crt')},key=${file('client.key')},cafile=${file('server.crt')},nodelay`;
  const args =
    tls === 'listens'
      ? [`OPENSSL-LISTEN:${listens},${server}`, to]
      : [`TCP-LISTEN:${listens}`, `OPENSSL:${to},${client}`];
  // With its small buffer of 8 KiB, the server would be measured.
  children.push(spawn('socat', tls === 'listens' ? ['-b65536', ...args] : args, { stdio: 'ignore' }));
  await delay(500);
  return nextPort;
}

async function startEcho(folder: string): Promise<number> {
  const pem = (name: string) => readFileSync(join(folder, name));
  const options = { cert: pem('server.crt'), key: pem('server.key'), ca: pem('client.crt'), requestCert: true };
  const server = createServer(
    { ...options, ALPNProtocols: ['teleport-postgres'], sessionIdContext: 'bench' },
    (socket) => {
      socket.on('error', () => undefined).pipe(socket);
    },
  );
  server.listen(0, '127.0.0.1').unref();
  await once(server, 'listening');
  const address = server.address();
  return typeof address === 'object' ? (address?.port ?? 0) : 0;
}

async function mebibytesASecond(port: number): Promise<number> {
  let counted = '';
  const elapsedMs = await timed(() => {
    const pipe = `socat -u -b65536 TCP:127.0.0.1:${String(port)} - | wc -c`;
    counted = execFileSync('sh', ['-c', pipe], { encoding: 'utf8' });
  });
  const mebibytes = Number(counted) / 1024 ** 2;
  if (mebibytes !== MEBIBYTES) throw new Error(`${mebibytes} of ${MEBIBYTES} MiB came`);
  return mebibytes / (elapsedMs / 1000);
}

async function opened(port: number): Promise<Socket> {
  const socket = connect({ port, host: '127.0.0.1', noDelay: true });
  await once(socket, 'connect');
  return socket;
}

async function roundTripUs(port: number): Promise<number> {
  const socket = await opened(port);
  const there = async () => {
    const back = once(socket, 'data');
    socket.write('x');
    await back;
  };
  for (let warm = 0; warm < 200; warm += 1) await there();
  const timesMs: number[] = [];
  for (let trip = 0; trip < ROUND_TRIPS; trip += 1) timesMs.push(await timed(there));
  socket.destroy();
  return (timesMs.sort((a, b) => a - b)[ROUND_TRIPS / 2] ?? 0) * 1000;
}

async function manyConnections({ processId, tunnel }: Paths): Promise<readonly Row[]> {
  const short = async () => {
    const socket = await opened(tunnel);
    const ended = once(socket, 'close');
    socket.resume().end('x');
    await ended;
  };
  for (let warm = 0; warm < 500; warm += 1) await short();
  const before = { files: openFiles(processId), memoryMb: memoryMb(processId) };
  let begun = 0;
  const elapsedMs = await timed(() =>
    Promise.all(
      Array.from({ length: 16 }, async () => {
        while ((begun += 1) <= SHORT) await short();
      }),
    ),
  );
  const rounds: { readonly peakMb: number; readonly afterMb: number }[] = [];
  for (let round = 0; round < ROUNDS; round += 1) {
    const peakMb = await openTogether(tunnel, processId);
    await delay(1000);
    rounds.push({ peakMb, afterMb: memoryMb(processId) });
  }
  const leaked = openFiles(processId) - before.files;
  const peaks = rounds.map(({ peakMb }) => peakMb).sort((a, b) => a - b);
  const after = rounds.map(({ afterMb }) => afterMb);
  const grown = (after.at(-1) ?? 0) - (after[1] ?? 0);
  return [
    row(`tunnel, ${SHORT} short connections`, one(elapsedMs / 1000), 's', against(leaked, 0, 'sockets leaked')),
    row(
      `tunnel, memory with ${AT_ONCE} connections, ${ROUNDS} rounds`,
      { median: peaks[Math.floor(ROUNDS / 2)] ?? 0, min: peaks[0] ?? 0, max: peaks.at(-1) ?? 0 },
      'MB',
      `after each round ${[before.memoryMb, ...after].map((mb) => mb.toFixed(0)).join(', ')} MB; since the second ${grown.toFixed(0)} MB more`,
    ),
  ];
}

/** Opens and closes connections that are all open at once; resolves with the memory that the tunnel has meanwhile. */
async function openTogether(tunnel: number, processId: number): Promise<number> {
  const together = await Promise.all(Array.from({ length: AT_ONCE }, () => opened(tunnel)));
  const answers = together.map((socket) => once(socket, 'data'));
  for (const socket of together) socket.write('x');
  await Promise.all(answers);
  const peakMb = memoryMb(processId);
  const ends = together.map((socket) => once(socket, 'close'));
  for (const socket of together) socket.resume().end();
  await Promise.all(ends);
  return peakMb;
}

function openFiles(processId: number): number {
  return readdirSync(`/proc/${String(processId)}/fd`).length;
}

function memoryMb(processId: number): number {
  return Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${String(processId)}/status`, 'utf8'))?.[1]) / 1024;
}
