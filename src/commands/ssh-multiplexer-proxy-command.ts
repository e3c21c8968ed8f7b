/** `ssh-multiplexer-proxy-command`: OpenSSH runs it, through the ssh_config of a tunnel, which carries its connection. */
import type { Socket } from 'node:net';
import { type Flag, parseCommandLine } from '../cli/flags.ts';
import type { World } from '../effects/world.ts';
import { MachineIdError } from '../errors.ts';
import { describeError } from '../net/network-error.ts';
import { openUnixSocket } from '../net/tcp.ts';
import { REFUSAL_PREFIX } from '../tunnels/ssh-session.ts';

export const SSH_MULTIPLEXER_FLAGS: readonly Flag[] = [];

const MAX_REFUSAL_BYTES = 4096;

/** @throws MachineIdError USAGE_INVALID, TUNNEL_UNAVAILABLE, TUNNEL_FAILED */
export async function sshMultiplexerProxyCommand(args: readonly string[], world: World): Promise<void> {
  const { operands } = parseCommandLine(SSH_MULTIPLEXER_FLAGS, args, 'SOCKET TARGET');
  const [path, target, ...more] = operands;
  if (path === undefined || target === undefined || more.length > 0) {
    throw new MachineIdError('USAGE_INVALID', 'expected two arguments: SOCKET and HOST:PORT|CLUSTER', {
      hint: 'This command is meant for the ProxyCommand line of the ssh_config that the tunnel writes.',
    });
  }
  const socket = await connect(path, world);
  socket.write(`${target}\0`);
  try {
    const sending = sendInput(socket, world);
    await receive(socket, world);
    await sending;
  } catch (error) {
    // OpenSSH ends its ProxyCommand with SIGHUP after every session: nothing to report.
    if (!world.signal.aborted) throw error;
  } finally {
    socket.destroy();
  }
}

async function connect(path: string, { signal }: World): Promise<Socket> {
  try {
    return await openUnixSocket(path, signal);
  } catch (cause) {
    signal.throwIfAborted();
    throw new MachineIdError('TUNNEL_UNAVAILABLE', `no tunnel listens at ${path}: ${describeError(cause)}`, {
      hint: 'Start the tunnel in an earlier step, and look at "tunnel status".',
      cause,
    });
  }
}

/** Ends with the input of OpenSSH, or with the connection. */
function sendInput(socket: Socket, { signal, stdin }: World): Promise<void> {
  const send = async () => {
    for await (const chunk of stdin()) {
      if (socket.destroyed) return;
      if (!socket.write(chunk)) await roomIn(socket);
    }
    socket.end();
  };
  const closed = new Promise<void>((resolve) => {
    socket.once('close', resolve);
    signal.addEventListener('abort', () => socket.destroy(), { once: true });
  });
  return Promise.race([send().catch(() => undefined), closed]);
}

function roomIn(socket: Socket): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      socket.off('drain', done);
      socket.off('close', done);
      resolve();
    };
    socket.once('drain', done);
    socket.once('close', done);
  });
}

/** @throws MachineIdError TUNNEL_FAILED if the tunnel says why there is no connection to the node */
async function receive(socket: Socket, { writeStdout }: World): Promise<void> {
  let first: Buffer | undefined = Buffer.alloc(0);
  for await (const chunk of chunksOf(socket)) {
    if (first === undefined) {
      await writeStdout([chunk]);
      continue;
    }
    first = Buffer.concat([first, chunk]);
    const isRefusal = first.subarray(0, REFUSAL_PREFIX.length).toString() === REFUSAL_PREFIX;
    if (isRefusal && first.length < MAX_REFUSAL_BYTES) continue;
    if (first.length < REFUSAL_PREFIX.length && REFUSAL_PREFIX.startsWith(first.toString())) continue;
    await writeStdout([first]);
    first = undefined;
  }
  if (first?.subarray(0, REFUSAL_PREFIX.length).toString() !== REFUSAL_PREFIX) return;
  throw new MachineIdError('TUNNEL_FAILED', first.toString('utf8', REFUSAL_PREFIX.length).trim(), {
    hint: 'Look at the log of the tunnel for more.',
  });
}

async function* chunksOf(socket: Socket): AsyncGenerator<Buffer> {
  try {
    for await (const chunk of socket) if (Buffer.isBuffer(chunk)) yield chunk;
  } catch (cause) {
    throw new MachineIdError('TUNNEL_FAILED', `the tunnel has broken the connection: ${describeError(cause)}`, {
      hint: 'Look at the log of the tunnel for the reason.',
      cause,
    });
  }
}
