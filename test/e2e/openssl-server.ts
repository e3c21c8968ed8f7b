/** `openssl s_server` that requires client certificates, as a workload that does not know Teleport. */
import { spawn } from 'node:child_process';
import type { TestContext } from 'node:test';
import { bounded, program } from '../programs.ts';

export interface OpensslServerFiles {
  readonly certificate: string;
  readonly key: string;
  /** Authorities whose clients are accepted. */
  readonly authorities: string;
}

/** Resolves with the port, once the server listens. */
export async function startOpensslServer(context: TestContext, files: OpensslServerFiles): Promise<number> {
  const { certificate, key, authorities } = files;
  const args = ['-accept', '127.0.0.1:0', '-cert', certificate, '-key', key, '-CAfile', authorities];
  const command = ['s_server', ...args, '-Verify', '1', '-verify_return_error', '-www'];
  const server = bounded(spawn(program('openssl'), command, { stdio: ['ignore', 'pipe', 'pipe'] }));
  context.after(() => server.kill('SIGKILL'));
  let said = '';
  server.stderr.setEncoding('utf8').on('data', (text: string) => {
    said += text;
  });
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.once('exit', () => {
      reject(new Error(`openssl s_server ended: ${said}`));
    });
    server.stdout.setEncoding('utf8').on('data', (text: string) => {
      said += text;
      const [, port] = /ACCEPT 127\.0\.0\.1:(\d+)/.exec(said) ?? [];
      if (port !== undefined) resolve(Number(port));
    });
  });
}
