/** HTTP/1.1, as far as a tunnel needs it. */
import { MachineIdError } from '../errors.ts';
import { readAnswer, refusedBy, type Wire } from './wire.ts';

/** @param host of the application, for the header `Host` */
export function httpWire(host: string): Wire {
  return {
    probe: async (upstream, signal) => {
      upstream.write(`HEAD / HTTP/1.1\r\nHost: ${host}\r\nUser-Agent: machine-id\r\nConnection: close\r\n\r\n`);
      await readAnswer(upstream, signal, statusOf);
    },
    refuse: (client, reason) => {
      const body = `${reason}\n`;
      client.end(
        `HTTP/1.1 502 Bad Gateway\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: ${Buffer.byteLength(body)}\r\nConnection: close\r\n\r\n${body}`,
      );
    },
  };
}

/** An application may answer anything; these come from the Proxy or a load balancer that does not reach it. */
const UNREACHED: readonly string[] = ['502', '503', '504'];

function statusOf(bytes: Buffer): true | undefined {
  const end = bytes.indexOf('\r\n');
  if (end === -1) return undefined;
  const line = bytes.toString('latin1', 0, end);
  const [, status] = /^HTTP\/1\.[01] (\d{3})\b/.exec(line) ?? [];
  if (status === undefined) throw refusedBy('the application', `"${line}", which is not HTTP`);
  if (!UNREACHED.includes(status)) return true;
  throw new MachineIdError('TUNNEL_FAILED', `the Proxy does not reach the application: ${line}`, {
    hint: 'Check that the agent of the application runs, and that it reaches the application.',
    transient: {},
  });
}
