/**
 * What a job waits for before it has credentials, on a line of 100 Mbit/s with a round-trip time of 50 ms and with nothing
 * cached: our script (the commands that the orb runs), and Teleport's programs as its guide for CircleCI installs them. The
 * guide's path is flattered: its archive is 200 MB of one file that needs no decompression, it is not verified, and `sleep 0`
 * stands for tbot, so that joining and writing take no time and no bytes at all.
 */
import { execFile, execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { appendFileSync, createReadStream, mkdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:https';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { selfSigned } from '../test/tls-certificate.ts';
import { BUNDLE } from './bundle.ts';
import { startCluster } from './cluster.ts';
import { freePort, listening } from './distance.ts';
import { figuresOf, type Row, row } from './figures.ts';
import { MBIT_PER_SECOND, ROUND_TRIP_MS, type ThinLine, thinLine } from './thin-line.ts';

const ARCHIVE_MB = 200;
const TIMES = 3;
/** Of orb/scripts/parts/download.sh. */
const CURL = ['--fail', '--location', '--proto', '=https', '--silent', '--show-error', '--connect-timeout', '10'];

const CHUNK_BYTES = 1024 * 1024;

const run = promisify(execFile);

export async function measurePractice(folder: string): Promise<Row[]> {
  mkdirSync(folder, { recursive: true });
  const archive = join(folder, 'teleport.tar.gz');
  writeArchive(folder, archive);
  const compressed = join(folder, 'machine-id.cjs.gz');
  writeFileSync(compressed, execFileSync('gzip', ['-9', '--no-name', '--stdout', BUNDLE]));
  const releases = await startReleases(folder, { '/machine-id.cjs.gz': compressed, '/teleport.tar.gz': archive });
  const [download, web] = await Promise.all([thinLine(), thinLine()]);
  const own = await freePort();
  const address = `localhost:${web.port}`;
  const cluster = await startCluster(join(folder, 'cluster'), '18.6.0', [
    ...['--port', String(own), '--public-address', address],
  ]);
  try {
    download.to = releases.port;
    web.to = own;
    const fetched = join(folder, 'fetched');
    const get = (path: string) => [
      'curl',
      ...CURL,
      ...['--cacert', releases.authority, '--output', fetched, `https://localhost:${download.port}${path}`],
    ];
    const env = { PATH: process.env.PATH, HOME: folder, CIRCLE_OIDC_TOKEN: cluster.token };
    const out = join(folder, 'out');
    const joined = ['--proxy-server', address, '--token', cluster.joinToken, '--ca-file', cluster.webCa];
    const measure = async (lines: readonly ThinLine[], commands: readonly (readonly string[])[]) => {
      const all: Sample[] = [];
      for (let time = 0; time < TIMES; time += 1) all.push(await sample(lines, commands, env));
      rmSync(fetched, { force: true });
      return all;
    };
    // As orb/scripts/install.sh does. It compares the digest, and then starts the script.
    const decompress = [
      'sh',
      '-c',
      'gzip -dc <"$1" | head -c 8000000 >"$1.plain" && mv -f "$1.plain" "$1"',
      'sh',
      fetched,
    ];
    const install = [get('/moved/machine-id.cjs.gz'), decompress, ['sha256sum', fetched]];
    const join18 = [process.execPath, BUNDLE, 'run', ...joined, '--destination', out, '--no-export'];
    const unpacked = join(folder, 'unpacked');
    mkdirSync(unpacked);
    const unpack = ['tar', '-xzf', archive, '-C', unpacked];
    return [
      ...rowsOf('install: download, decompress, digest', await measure([download], install)),
      ...rowsOf('run: join, identity', await measure([web], [join18])),
      ...rowsOf('guide: download 200 MB', await measure([download], [get('/teleport.tar.gz')])),
      ...rowsOf('guide: unpack, sleep 0', await measure([download], [unpack, ['sleep', '0']])),
    ];
  } finally {
    cluster.stop();
    releases.server.closeAllConnections();
    releases.server.close();
    download.close();
    web.close();
  }
}

interface Sample {
  readonly ms: number;
  /** Over the lines, both ways. */
  readonly bytes: number;
}

async function sample(
  lines: readonly ThinLine[],
  commands: readonly (readonly string[])[],
  env: NodeJS.ProcessEnv,
): Promise<Sample> {
  for (const line of lines) line.bytes = 0;
  const start = performance.now();
  for (const [program = '', ...args] of commands) await run(program, args, { env });
  return { ms: performance.now() - start, bytes: lines.reduce((sum, { bytes }) => sum + bytes, 0) };
}

function rowsOf(name: string, samples: readonly Sample[]): readonly Row[] {
  const line = `${MBIT_PER_SECOND} Mbit/s, ${ROUND_TRIP_MS} ms`;
  return [
    row(name, figuresOf(samples.map(({ ms }) => ms)), 'ms', line),
    row('  bytes on the wire', figuresOf(samples.map(({ bytes }) => bytes / 1000)), 'kB'),
  ];
}

/** One file of random bytes, which gzip stores as they are. */
function writeArchive(folder: string, archive: string): void {
  const content = join(folder, 'tbot');
  writeFileSync(content, '');
  for (let written = 0; written < ARCHIVE_MB; written += 1) appendFileSync(content, randomBytes(CHUNK_BYTES));
  execFileSync('tar', ['-czf', archive, '-C', folder, 'tbot']);
  rmSync(content);
}

interface Releases {
  readonly server: Server;
  readonly port: number;
  /** File of its certificate's authority. */
  readonly authority: string;
}

/** Serves files by path; a path below /moved is redirected once, as GitHub does with the assets of a release. */
async function startReleases(folder: string, files: Readonly<Record<string, string>>): Promise<Releases> {
  const { certificate, key } = await selfSigned('localhost');
  const server = createServer({ cert: certificate, key }, ({ headers, url = '' }, response) => {
    const file = files[url];
    if (url.startsWith('/moved/')) {
      const location = `https://${headers.host ?? ''}${url.slice('/moved'.length)}`;
      response.writeHead(302, { location, connection: 'close' }).end();
    } else if (file === undefined) {
      response.writeHead(404).end();
    } else {
      response.writeHead(200, { 'content-length': statSync(file).size });
      createReadStream(file).pipe(response);
    }
  });
  const authority = join(folder, 'releases.pem');
  writeFileSync(authority, certificate);
  return { server, port: await listening(server), authority };
}
