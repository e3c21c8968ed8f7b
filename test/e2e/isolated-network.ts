/** A network in which only one port can be reached, as in a company whose only way out is a proxy. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { existsSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import type { TestContext } from 'node:test';
import { bounded, program } from '../programs.ts';
import type { BundleOptions } from './run-bundle.ts';

/**
 * Inside, this port of 127.0.0.1 leads to the same port of this machine, by a socket in a file, and there is nothing else.
 * @returns what runs a program inside, as the user of this process
 */
export async function isolatedNetwork(t: TestContext, port: number): Promise<NonNullable<BundleOptions['within']>> {
  const folder = await mkdtemp(join(tmpdir(), 'e2e-isolated-'));
  const [socket, script] = [join(folder, 'socket'), join(folder, 'inside')];
  const outer = bounded(
    spawn(program('socat'), [`UNIX-LISTEN:${socket},fork,mode=777`, `TCP:127.0.0.1:${port}`], { stdio: 'ignore' }),
  );
  t.after(async () => {
    outer.kill('SIGKILL');
    await rm(folder, { recursive: true, force: true });
  });
  const ended = once(outer, 'exit').then(() => Promise.reject(new Error('socat ended')));
  ended.catch(() => undefined); // at the end of the test
  while (!existsSync(socket)) await Promise.race([pause(20), ended]);
  const ids = [process.getuid?.() ?? 0, process.getgid?.() ?? 0];
  await writeFile(script, insideScript(socket, port, ids.map(String)));
  const unshare = [program('unshare'), '--net', '/bin/sh', script] as const;
  return process.getuid?.() === 0 ? [...unshare] : [program('sudo'), '-n', '-E', ...unshare];
}

function insideScript(socket: string, port: number, [user = '', group = '']: readonly string[]): string {
  const listen = `TCP-LISTEN:${port},bind=127.0.0.1,fork`;
  return `PATH="$PATH:/usr/sbin:/sbin"
ip link set lo up || exit 99
socat ${listen} UNIX-CONNECT:${socket} &
listener=$!
until socat -u OPEN:/dev/null TCP:127.0.0.1:${port} 2>/dev/null; do sleep 0.05; done
setpriv --reuid=${user} --regid=${group} --clear-groups "$@"
code=$?
kill $listener
exit $code
`;
}
