/** Copies bytes both ways between a client and a server. */
import type { Duplex } from 'node:stream';

/**
 * Until one of the two ends, whatever the other still sends: then what it has sent is passed on, and both are closed
 * (`ProxyConn` of lib/utils knows no half-closed connections).
 */
export function relay(client: Duplex, server: Duplex): void {
  for (const [from, to] of [
    [client, server],
    [server, client],
  ] as const) {
    from.on('error', () => from.destroy());
    from.once('end', () => {
      close(from, to);
    });
    from.once('close', () => {
      close(from, to);
    });
    from.pipe(to, { end: false });
  }
}

function close(...streams: readonly Duplex[]): void {
  for (const stream of streams) {
    stream.end(() => stream.destroy());
  }
}

/** Resolves once the last bytes are with the system: whoever closes the connection then takes nothing from the client. */
export function endWith(client: Duplex, last: Buffer): Promise<void> {
  return new Promise((resolve) => {
    client.once('close', resolve);
    client.end(last, () => {
      resolve();
    });
  });
}
