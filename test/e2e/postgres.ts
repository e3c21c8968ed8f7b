/**
 * A real PostgreSQL as a cluster's database. Over TCP it accepts only TLS, and only certificates of the authority of
 * database clients.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { access, chmod, mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import type { Cluster } from '../cluster/cluster.ts';
import { databaseServerCertificate } from '../cluster/proxy/teleport-certificate.ts';
import { freePort } from './free-port.ts';
import { bounded, FILE_MS, missing, runProgram } from '../programs.ts';

const DEBIAN_FOLDER = '/usr/lib/postgresql';

/** The reason to skip a test that needs the server and its client. */
export async function missingPostgres(): Promise<string | undefined> {
  const server = await serverFolder();
  return (
    missing('psql') ?? (server !== undefined || process.env.CI === 'true' ? undefined : 'PostgreSQL is not installed')
  );
}

async function serverFolder(): Promise<string | undefined> {
  const versions = await readdir(DEBIAN_FOLDER).catch(() => []);
  for (const version of versions.sort().reverse()) {
    const folder = join(DEBIAN_FOLDER, version, 'bin');
    if (
      await access(join(folder, 'initdb')).then(
        () => true,
        () => false,
      )
    )
      return folder;
  }
  return undefined;
}

/** Listens on 127.0.0.1 with the database `orders` and its user `ci`; resolves with the port. */
export async function startPostgres(context: Pick<TestContext, 'after'>, cluster: Cluster): Promise<number> {
  const bin = await serverFolder();
  if (bin === undefined) throw new Error('PostgreSQL is not installed');
  const folder = await mkdtemp(join(tmpdir(), 'e2e-postgres-'));
  let stop = (): Promise<unknown> => Promise.resolve();
  context.after(async () => {
    await stop(); // Before its files are removed, because it writes some when it ends.
    await rm(folder, { recursive: true, force: true });
  });
  const data = join(folder, 'data');
  await mkdir(data);
  await writeTls(folder, cluster);
  const port = await freePort();
  const as = await serverUser(folder);
  await ran(as.program, [...as.args, join(bin, 'initdb'), '-D', data, '-A', 'trust', '-U', 'postgres', '--no-sync']);
  await writeFile(join(data, 'pg_hba.conf'), 'local all postgres trust\nhostssl all all 127.0.0.1/32 cert\n');
  const settings = {
    port,
    listen_addresses: '127.0.0.1',
    unix_socket_directories: folder,
    ssl: 'on',
    ssl_cert_file: join(folder, 'server.crt'),
    ssl_key_file: join(folder, 'server.key'),
    ssl_ca_file: join(folder, 'clients.crt'),
    fsync: 'off',
  };
  const flags = Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${String(value)}`]);
  const args = [...as.args, join(bin, 'postgres'), '-D', data, ...flags];
  const server = bounded(spawn(as.program, args, { stdio: ['ignore', 'ignore', 'pipe'] }), FILE_MS);
  const ended = once(server, 'exit');
  stop = () => {
    server.kill('SIGINT');
    return ended;
  };
  await ready(server.stderr);
  const commands = ['-c', 'create role ci login', '-c', 'create database orders owner ci'];
  await ran('psql', ['-h', folder, '-p', String(port), '-U', 'postgres', '-q', ...commands]);
  return port;
}

async function writeTls(folder: string, cluster: Cluster): Promise<void> {
  const { ca, cert, key } = await databaseServerCertificate(cluster.world);
  await writeFile(join(folder, 'server.crt'), cert);
  await writeFile(join(folder, 'server.key'), key, { mode: 0o600 });
  await writeFile(join(folder, 'clients.crt'), ca);
}

/** PostgreSQL refuses to run as root. */
async function serverUser(folder: string): Promise<{ program: string; args: readonly string[] }> {
  if (process.getuid?.() !== 0) return { program: 'env', args: [] };
  await chmod(folder, 0o755);
  await ran('chown', ['-R', 'postgres', folder]);
  return { program: 'setpriv', args: ['--reuid=postgres', '--regid=postgres', '--init-groups'] };
}

function ready(log: NodeJS.ReadableStream): Promise<void> {
  return new Promise((resolve, reject) => {
    let said = '';
    log.setEncoding('utf8');
    log.on('data', (text: string) => {
      said += text;
      if (said.includes('ready to accept connections')) resolve();
    });
    log.once('end', () => {
      reject(new Error(`PostgreSQL ended: ${said}`));
    });
  });
}

async function ran(name: string, args: readonly string[]): Promise<void> {
  const { exitCode, stderr } = await runProgram(name, args);
  if (exitCode !== 0) throw new Error(`${name} ${args.join(' ')} ended with ${exitCode}: ${stderr}`);
}
