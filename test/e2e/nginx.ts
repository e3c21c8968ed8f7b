/** nginx as a server that demands client certificates and knows nothing of Teleport. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { freePort } from './free-port.ts';
import { program } from './programs.ts';

export interface NginxFiles {
  /** Of the server itself, with its key; paths. */
  readonly certificate: string;
  readonly key: string;
  /** Path of the authorities whose clients are let in. */
  readonly clientAuthorities: string;
}

/** Answers with the subject of the client's certificate; resolves with the port on 127.0.0.1. */
export async function startNginx(context: TestContext, files: NginxFiles): Promise<number> {
  const folder = await mkdtemp(join(tmpdir(), 'e2e-nginx-'));
  const port = await freePort();
  await mkdir(join(folder, 'tmp'));
  await writeFile(join(folder, 'nginx.conf'), configuration(folder, port, files));
  const server = spawn(
    program('nginx'),
    ['-p', folder, '-c', join(folder, 'nginx.conf'), '-e', join(folder, 'error.log')],
    {
      stdio: ['ignore', 'ignore', 'inherit'],
    },
  );
  const ended = once(server, 'exit');
  context.after(async () => {
    server.kill('SIGTERM');
    await ended;
    await rm(folder, { recursive: true, force: true });
  });
  while (!(await answers(port)))
    await Promise.race([pause(20), ended.then(() => Promise.reject(new Error('nginx ended')))]);
  return port;
}

function configuration(folder: string, port: number, { certificate, clientAuthorities, key }: NginxFiles): string {
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map(
    (name) => `  ${name}_temp_path ${join(folder, 'tmp', name)};`,
  );
  return `daemon off;
master_process off;
pid ${join(folder, 'pid')};
events {}
http {
  access_log off;
${temporary.join('\n')}
  server {
    listen 127.0.0.1:${String(port)} ssl;
    ssl_certificate ${certificate};
    ssl_certificate_key ${key};
    ssl_client_certificate ${clientAuthorities};
    ssl_verify_client on;
    location / { default_type text/plain; return 200 "$ssl_client_verify $ssl_client_s_dn\\n"; }
  }
}
`;
}

async function answers(port: number): Promise<boolean> {
  const socket = connect({ port, host: '127.0.0.1' });
  try {
    await once(socket, 'connect');
    return true;
  } catch {
    return false; // not listening yet
  } finally {
    socket.destroy();
  }
}
