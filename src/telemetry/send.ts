/** Sends an event beside the work of a run, which it neither delays nor fails. */
import fetch from 'node-fetch';
import { USER_AGENT } from '../effects/version.ts';
import { plainText } from '../teleport/network-error.ts';
import { openAgent } from '../teleport/traced-agent.ts';
import { trusting } from '../teleport/trust.ts';
import type { WireTrace } from '../teleport/wire-trace.ts';

export interface Sending {
  /** Gives up what has not been answered by now. */
  end(): void;
}

export interface SendSettings {
  /** PEM of the only trusted authorities, or undefined for Node's own list. */
  readonly ca: string | undefined;
  readonly trace?: WireTrace | undefined;
  /** Told once, unless the sending was ended before: undefined when the event has arrived. */
  readonly onSettled: (fault: string | undefined) => void;
}

const MAX_ANSWER_BYTES = 16 * 1024;

/** A unary call of the Connect protocol, version 1, with protobuf's JSON form. */
export function send(url: URL, event: unknown, { ca, onSettled, trace }: SendSettings): Sending {
  const ended = new AbortController();
  const { signal } = ended;
  void post().then(
    (status) => {
      tell(status === 200 ? undefined : `HTTP status ${status}`);
    },
    (error: unknown) => {
      tell(plainText(error));
    },
  );
  return {
    end: () => {
      ended.abort();
    },
  };

  async function post(): Promise<number> {
    const { agent, begin } = openAgent(trusting(ca), 'telemetry', trace);
    const end = begin('POST', url);
    const answer = await fetch(url, {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'connect-protocol-version': '1', 'user-agent': USER_AGENT },
      body: JSON.stringify(event),
      redirect: 'manual',
      signal,
      size: MAX_ANSWER_BYTES,
      ...(url.protocol === 'https:' ? { agent } : {}),
    });
    await answer.arrayBuffer();
    end(answer.status);
    return answer.status;
  }

  function tell(fault: string | undefined): void {
    if (!signal.aborted) onSettled(fault);
  }
}
