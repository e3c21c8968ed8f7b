/** One SSH session of a client of the multiplexer: it names the node, and then speaks SSH. */
import type { Socket } from 'node:net';
import { withDeadline } from '../effects/time.ts';
import { MachineIdError } from '../errors.ts';
import type { BulkCall } from '../grpc/bulk.ts';
import { type Address, parseAddress } from '../net/address.ts';
import { proxySsh, type SshTarget } from '../teleport/ssh-proxy.ts';

/** The line that a server may send before its version begins with this, if there is no server (RFC 4253 section 4.2). */
export const REFUSAL_PREFIX = 'machine-id: ';

const MAX_HEADER_BYTES = 1024;
const HEADER_TIMEOUT_MS = 10_000;
const NODE_PORT = 3022;

export interface SessionOptions {
  /** The cluster of a node without one. */
  readonly clusterName: string;
  /** Host of the Proxy, a suffix that users may add to the name of a node. */
  readonly proxyHost: string;
  readonly proxy: Address;
  readonly openCall: () => Promise<BulkCall>;
  readonly signal: AbortSignal;
}

/**
 * Resolves when the session has ended.
 * @throws MachineIdError as dialing and proxying do; TUNNEL_FAILED for an invalid header
 */
export async function carrySession(client: Socket, options: SessionOptions): Promise<void> {
  const { openCall, proxy, signal } = options;
  // By default, the end of the client's input would close its socket, before the node has answered.
  const received: AsyncIterator<Buffer> = client.iterator({ destroyOnReturn: false });
  const header = { waitingFor: 'the name of the node', timeoutMs: HEADER_TIMEOUT_MS, signal };
  const { rest, text } = await withDeadline(header, () => readHeader(received));
  const target = readTarget(text, options);
  if (target === undefined) throw invalidHeader(`"${text}" is not host:port, or host:port|cluster`);
  const call = await openCall();
  const end = () => {
    call.close();
  };
  client.once('close', end);
  try {
    const ends = { input: following(rest, received), write: (parts: readonly Uint8Array[]) => write(client, parts) };
    await proxySsh(target, ends, { call, proxy, signal });
    client.end();
  } finally {
    client.off('close', end);
    call.close();
  }
}

interface Header {
  readonly text: string;
  /** What the client has already sent after it. */
  readonly rest: Buffer;
}

async function readHeader(received: AsyncIterator<Buffer>): Promise<Header> {
  let bytes: Buffer = Buffer.alloc(0);
  for (;;) {
    const end = bytes.indexOf(0);
    if (end !== -1) return { text: bytes.toString('utf8', 0, end), rest: bytes.subarray(end + 1) };
    if (bytes.length > MAX_HEADER_BYTES) throw invalidHeader(`no NUL byte in the first ${MAX_HEADER_BYTES} bytes`);
    const next = await received.next();
    if (next.done === true) throw invalidHeader('the client has closed the connection');
    bytes = Buffer.concat([bytes, next.value]);
  }
}

function invalidHeader(problem: string): MachineIdError {
  return new MachineIdError('TUNNEL_FAILED', `a client did not name its node: ${problem}`, {
    hint: 'Use the ssh_config that the tunnel has written.',
  });
}

/** Users give OpenSSH `<node>.<cluster>`; the Proxy expects the name of the node alone. */
export function readTarget(
  text: string,
  { clusterName, proxyHost }: Pick<SessionOptions, 'clusterName' | 'proxyHost'>,
): SshTarget | undefined {
  const [hostPort = '', cluster = clusterName, ...more] = text.split('|');
  const address = parseAddress(hostPort, NODE_PORT);
  if (address === undefined || cluster === '' || more.length > 0) return undefined;
  const host = [`.${proxyHost}`, `.${cluster}`].reduce(withoutSuffix, address.host);
  // The node checks the login itself.
  return { cluster, host, port: address.port, login: '' };
}

function withoutSuffix(text: string, suffix: string): string {
  return text.endsWith(suffix) && text.length > suffix.length ? text.slice(0, -suffix.length) : text;
}

async function* following(first: Buffer, received: AsyncIterator<Buffer>): AsyncGenerator<Uint8Array> {
  if (first.length > 0) yield first;
  for (;;) {
    const next = await received.next();
    if (next.done === true) return;
    yield next.value;
  }
}

/** Resolves when more may be written; rejects if the client is gone. */
function write(client: Socket, parts: readonly Uint8Array[]): Promise<void> {
  return new Promise((resolve, reject) => {
    if (client.destroyed) {
      reject(new Error('the client has closed the connection'));
      return;
    }
    client.cork();
    const isRoom = parts.map((part) => client.write(part)).every(Boolean);
    client.uncork();
    if (isRoom) {
      resolve();
      return;
    }
    const done = () => {
      client.off('drain', done);
      client.off('close', done);
      resolve();
    };
    client.once('drain', done);
    client.once('close', done);
  });
}
