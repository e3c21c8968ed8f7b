/** Notices a server that is gone without having closed the connection, which otherwise looks like a slow one. */
import { every } from '../effects/time.ts';

export interface LivenessTimes {
  readonly tickMs: number;
  /** Ticks without a byte after a ping until the connection counts as lost. */
  readonly lostTicks: number;
  /** Ticks between two pings that no answer of the server separates. */
  readonly pauseTicks: number;
}

/**
 * gRPC for Go closes a connection ("too_many_pings") after three pings that come less than five minutes apart, but counts
 * from zero whenever it has sent headers or data ("Client-side Keepalive", gRFC A8). So a silence is asked once, and one
 * that lasts each five and a half minutes. A call that is answered within five seconds is never accompanied by a ping.
 */
const TIMES: LivenessTimes = { tickMs: 5000, lostTicks: 3, pauseTicks: 66 };

export interface LivenessOptions {
  /** Whether a call is under way: an idle connection is never pinged. */
  readonly isBusy: () => boolean;
  readonly ping: () => void;
  readonly onLost: (error: Error) => void;
  readonly times?: LivenessTimes | undefined;
}

export interface Liveness {
  /** Bytes of any kind have come. */
  readonly onBytes: () => void;
  /** Headers or data of a call have come. */
  readonly onResponse: () => void;
  readonly end: () => void;
}

export function watchLiveness({ isBusy, onLost, ping, times = TIMES }: LivenessOptions): Liveness {
  const { lostTicks, pauseTicks, tickMs } = times;
  let wasBusy = false;
  let hasHeard = false;
  let mayPing = true;
  let ticksSincePing = 0;
  /** Undefined while no ping waits for its answer. */
  let silentTicks: number | undefined;
  const end = every(tickMs, () => {
    ticksSincePing += 1;
    // A call may have begun just now.
    const isSilent = isBusy() && wasBusy && !hasHeard;
    [wasBusy, hasHeard] = [isBusy(), false];
    if (!isSilent) {
      silentTicks = undefined;
    } else if (silentTicks !== undefined) {
      silentTicks += 1;
      if (silentTicks >= lostTicks) onLost(lost(lostTicks * tickMs));
    } else if (mayPing || ticksSincePing >= pauseTicks) {
      [mayPing, ticksSincePing, silentTicks] = [false, 0, 0];
      ping();
    }
  });
  return {
    onBytes: () => {
      hasHeard = true;
    },
    onResponse: () => {
      mayPing = true;
    },
    end,
  };
}

function lost(silentMs: number): Error {
  return new Error(`the connection was lost: the server did not answer a ping within ${silentMs / 1000} s`);
}
