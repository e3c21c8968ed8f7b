/** A network of its own, in which only some ports can be reached, and other addresses do not answer. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { existsSync } from 'node:fs';
import { isIPv6 } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import type { TestContext } from 'node:test';
import { bounded, program } from '../programs.ts';
import type { BundleOptions } from './run-bundle.ts';

export interface InnerNetwork {
  /** Leads to the same port of 127.0.0.1 of this machine, by a socket in a file. */
  readonly port: number;
  /** Where that port is inside; 127.0.0.1 by default. */
  readonly at?: string;
  /** Packets to these vanish, as behind a firewall that drops them. */
  readonly dropped?: readonly string[];
  /** These have no route. */
  readonly unreachable?: readonly string[];
  /** For these, a firewall answers in their place. */
  readonly prohibited?: readonly string[];
  /** In place of /etc/hosts: names with their addresses. */
  readonly names?: Readonly<Record<string, readonly string[]>>;
  /** Whether resolvers put IPv4 addresses first, in place of IPv6 addresses. */
  readonly ipv4First?: boolean;
}

/**
 * Inside, there is nothing else.
 * @returns what runs a program inside, as the user of this process
 */
export async function isolatedNetwork(
  t: TestContext,
  network: InnerNetwork,
): Promise<NonNullable<BundleOptions['within']>> {
  const folder = await mkdtemp(join(tmpdir(), 'e2e-isolated-'));
  const [socket, script] = [join(folder, 'socket'), join(folder, 'inside')];
  const outer = bounded(
    spawn(program('socat'), [`UNIX-LISTEN:${socket},fork,mode=777`, `TCP:127.0.0.1:${network.port}`], {
      stdio: 'ignore',
    }),
  );
  t.after(async () => {
    outer.kill('SIGKILL');
    await rm(folder, { recursive: true, force: true });
  });
  const ended = once(outer, 'exit').then(() => Promise.reject(new Error('socat ended')));
  ended.catch(() => undefined); // at the end of the test
  while (!existsSync(socket)) await Promise.race([pause(20), ended]);
  const ids = [process.getuid?.() ?? 0, process.getgid?.() ?? 0];
  await writeFile(join(folder, 'hosts'), hostsOf(network));
  await writeFile(join(folder, 'gai.conf'), 'precedence ::ffff:0:0/96 100\n');
  await writeFile(script, insideScript(network, folder, ids.map(String)));
  const unshare = [program('unshare'), '--net', '--mount', '/bin/sh', script] as const;
  return process.getuid?.() === 0 ? [...unshare] : [program('sudo'), '-n', '-E', ...unshare];
}

function hostsOf({ names = {} }: InnerNetwork): string {
  const lines = Object.entries(names).flatMap(([name, addresses]) => addresses.map((address) => `${address} ${name}`));
  return `${['127.0.0.1 localhost', ...lines].join('\n')}\n`;
}

function insideScript(network: InnerNetwork, folder: string, [user = '', group = '']: readonly string[]): string {
  const { at = '127.0.0.1', ipv4First = false, names, port } = network;
  const [kind, bracketed] = isIPv6(at) ? ['TCP6', `[${at}]`] : ['TCP4', at];
  return `PATH="$PATH:/usr/sbin:/sbin"
${[...routes(network), ...(at === '127.0.0.1' ? [] : [`ip address add ${at} dev lo`])].map((line) => `${line} || exit 99`).join('\n')}
${names === undefined ? '' : `mount --bind ${folder}/hosts /etc/hosts || exit 99`}
${ipv4First ? `mount --bind ${folder}/gai.conf /etc/gai.conf || exit 99` : ''}
socat ${kind}-LISTEN:${port},bind=${bracketed},fork UNIX-CONNECT:${folder}/socket &
listener=$!
until socat -u OPEN:/dev/null ${kind}:${bracketed}:${port} 2>/dev/null; do sleep 0.05; done
setpriv --reuid=${user} --regid=${group} --clear-groups "$@"
code=$?
kill $listener
exit $code
`;
}

/** The link `out` has both families of addresses, without which resolvers leave out the addresses of a family. */
const LINK = [
  'ip link add out type veth peer name nowhere',
  'ip link set nowhere up',
  'ip link set out up',
  'ip address add 192.0.2.1/24 dev out',
  'ip -6 address add 2001:db8:1::1/64 dev out nodad',
];

/** What goes to a neighbour that is not there vanishes; its link-layer address is given, so that nothing asks for it. */
function routes({ dropped = [], prohibited = [], unreachable = [] }: InnerNetwork): readonly string[] {
  const refuse = (how: string) => (address: string) => `ip route add ${how} ${address}`;
  const drop = (address: string) => [
    `ip route add ${address} dev out`,
    `ip neighbour add ${address} lladdr 02:00:00:00:00:99 nud permanent dev out`,
  ];
  const refused = [...unreachable.map(refuse('unreachable')), ...prohibited.map(refuse('prohibit'))];
  const others = [...dropped.flatMap(drop), ...refused];
  return ['ip link set lo up', ...(others.length === 0 ? [] : [...LINK, ...others])];
}
