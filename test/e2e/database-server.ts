/** What real database servers of a cluster have in common: a folder with their TLS files, a user, and an end. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Cluster } from '../cluster/cluster.ts';
import { databaseServerCertificate } from '../cluster/proxy/teleport-certificate.ts';
import { bounded, FILE_MS, runProgram } from '../programs.ts';

/** A test, or all tests of a file. */
export interface ServerOwner {
  readonly after: (work: () => Promise<void>) => void;
}

export interface ServerFiles {
  readonly folder: string;
  /** Of the server, and of the authority of those who may log in. */
  readonly certificate: string;
  readonly key: string;
  readonly clients: string;
}

export class DatabaseServer {
  readonly files: ServerFiles;
  readonly #prefix: readonly string[];
  #child: ChildProcess | undefined;

  private constructor(files: ServerFiles, prefix: readonly string[]) {
    this.files = files;
    this.#prefix = prefix;
  }

  /**
   * The folder is removed, and the server stopped before, when the owner has ended.
   * @param user as which the server runs if this process is root
   */
  static async prepare(
    owner: ServerOwner,
    cluster: Cluster,
    { stopSignal, user }: { readonly user: string; readonly stopSignal: NodeJS.Signals },
  ): Promise<DatabaseServer> {
    const folder = await mkdtemp(join(tmpdir(), 'e2e-database-'));
    const at = (name: string) => join(folder, name);
    const files = { folder, certificate: at('server.crt'), key: at('server.key'), clients: at('clients.crt') };
    const { ca, cert, key } = await databaseServerCertificate(cluster.world);
    await writeFile(files.certificate, cert);
    await writeFile(files.key, key, { mode: 0o600 });
    await writeFile(files.clients, ca);
    const isRoot = process.getuid?.() === 0;
    const server = new DatabaseServer(
      files,
      isRoot ? ['setpriv', `--reuid=${user}`, `--regid=${user}`, '--init-groups'] : ['env'],
    );
    owner.after(async () => {
      await server.#stop(stopSignal);
      await rm(folder, { recursive: true, force: true });
    });
    if (isRoot) {
      await chmod(folder, 0o755);
      await ran('chown', ['-R', user, folder]);
    }
    return server;
  }

  /** Runs a program as the server's user to its end. */
  async run(name: string, args: readonly string[]): Promise<void> {
    const [program = '', ...more] = [...this.#prefix, name, ...args];
    await ran(program, more);
  }

  /** Starts the server and waits for this text in its log. */
  async start(name: string, args: readonly string[], ready: string): Promise<void> {
    const [program = '', ...more] = [...this.#prefix, name, ...args];
    const child = bounded(spawn(program, more, { stdio: ['ignore', 'pipe', 'pipe'] }), FILE_MS);
    this.#child = child;
    let said = '';
    await new Promise<void>((resolve, reject) => {
      for (const stream of [child.stdout, child.stderr]) {
        stream.setEncoding('utf8').on('data', (text: string) => {
          said = said.slice(-10_000) + text;
          if (said.includes(ready)) resolve();
        });
      }
      child.once('error', reject).once('exit', () => {
        reject(new Error(`${name} ended: ${said}`));
      });
    });
  }

  async #stop(signal: NodeJS.Signals): Promise<void> {
    const child = this.#child;
    if (child?.exitCode !== null || child.signalCode !== null) return;
    const ended = once(child, 'exit');
    child.kill(signal);
    await ended;
  }
}

export async function ran(name: string, args: readonly string[]): Promise<void> {
  const { exitCode, stderr, stdout } = await runProgram(name, args);
  if (exitCode !== 0) throw new Error(`${name} ${args.join(' ')} ended with ${exitCode}: ${stdout}${stderr}`);
}
