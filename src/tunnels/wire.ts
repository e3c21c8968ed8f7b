/** What a tunnel knows of the protocol inside it: enough to see whether the other end answers, and to refuse a client. */
import type { Socket } from 'node:net';
import type { Clock } from '../effects/time.ts';
import { MachineIdError } from '../errors.ts';
import { oneLine } from '../net/network-error.ts';

export interface Wire {
  /**
   * Says as little as makes the other end answer, and waits for the answer.
   * @throws MachineIdError TUNNEL_FAILED if it refuses, or Node's own error
   */
  readonly probe: (upstream: Socket, signal: AbortSignal) => Promise<void>;
  /**
   * Sends the reason in the protocol's own form, for clients that would otherwise only see a closed connection. The caller closes
   * the connection a moment later. Undefined for a protocol in which that cannot be said.
   */
  readonly refuse?: (client: Socket, reason: string) => void;
}

/** An answer to a probe is far shorter. */
const MAX_BYTES = 64 * 1024;

/**
 * Reads until `read` returns something; it gets all bytes so far.
 * @throws what `read` throws; Error if the connection ends before
 */
export function readAnswer<T>(socket: Socket, signal: AbortSignal, read: (bytes: Buffer) => T | undefined): Promise<T> {
  return new Promise((resolve, reject) => {
    let received = Buffer.alloc(0);
    const settle = (act: () => void) => {
      socket.off('data', onData).off('end', onEnd).off('close', onEnd).off('error', fail);
      signal.removeEventListener('abort', onAbort);
      socket.pause();
      act();
    };
    const fail = (error: unknown) => {
      settle(() => {
        reject(error instanceof Error ? error : new Error(String(error)));
      });
    };
    const onAbort = () => {
      fail(signal.reason);
    };
    const onEnd = () => {
      fail(closedWithout(received.length));
    };
    const onData = (chunk: Buffer) => {
      received = Buffer.concat([received, chunk]);
      try {
        const answer = read(received);
        if (answer !== undefined) {
          settle(() => {
            resolve(answer);
          });
        } else if (received.length > MAX_BYTES) fail(new Error(`the answer has more than ${MAX_BYTES} bytes`));
      } catch (error) {
        fail(error);
      }
    };
    if (signal.aborted) {
      reject(signal.reason instanceof Error ? signal.reason : new Error('aborted'));
      return;
    }
    signal.addEventListener('abort', onAbort, { once: true });
    // An earlier answer has paused it.
    socket.on('data', onData).on('end', onEnd).on('close', onEnd).on('error', fail).resume();
  });
}

/** What a Proxy does that refuses the certificate, knows no such resource, or reaches no agent of it. */
function closedWithout(bytes: number): MachineIdError {
  const what = bytes === 0 ? 'without a byte' : `after ${bytes} bytes`;
  return new MachineIdError('TUNNEL_FAILED', `the Proxy closed the connection ${what}`, {
    hint: "Check that an agent serves the resource, that the bot's roles allow this user and name, and the audit log of the cluster.",
    transient: {},
  });
}

/** @param text as the other end sent it */
export function refusedBy(who: string, text: string): MachineIdError {
  return new MachineIdError('TUNNEL_FAILED', `${who} answers: ${oneLine(text)}`, {
    hint: "Check the user and the name in the configuration of the tunnel, and that the bot's roles allow them.",
    transient: {},
  });
}

/** A refusal arrives within a round trip. */
const STAYS_OPEN_MS = 1000;

/** Of protocols that a tunnel does not know. A Proxy that refuses a connection closes it at once. */
export function quietWire(clock: Pick<Clock, 'sleep'>): Wire {
  return {
    probe: async (upstream, signal) => {
      const waiting = new AbortController();
      try {
        // The one that loses has a handler by the race.
        const staysOpen = clock.sleep(STAYS_OPEN_MS, waiting.signal);
        await Promise.race([staysOpen, readAnswer(upstream, signal, () => true)]);
      } finally {
        waiting.abort();
      }
    },
  };
}
