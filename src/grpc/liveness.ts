/** Detects a server that is gone but never closed the connection, and so looks like a slow one. */
import { every } from '../effects/time.ts';

export interface LivenessTimes {
  readonly tickMs: number;
  /** Ticks without a received byte after a ping until the connection counts as lost. */
  readonly lostTicks: number;
  /** Ticks between two pings if the server sends no headers or data in between. */
  readonly pauseTicks: number;
}

/**
 * gRPC for Go closes a connection ("too_many_pings") after three pings less than five minutes apart, but restarts the count
 * whenever it sends headers or data ("Client-side Keepalive", gRFC A8). So a silent server gets one ping at once and then
 * one every five and a half minutes. A call that gets a response within five seconds never causes a ping.
 */
const TIMES: LivenessTimes = { tickMs: 5000, lostTicks: 3, pauseTicks: 66 };

export interface LivenessOptions {
  /** Whether a call is in progress: an idle connection is never pinged. */
  readonly isBusy: () => boolean;
  readonly ping: () => void;
  readonly onLost: (error: Error) => void;
  readonly times?: LivenessTimes | undefined;
}

export interface Liveness {
  /** Call it when bytes of any kind arrive. */
  readonly onBytes: () => void;
  /** Call it when headers or data of a call arrive. */
  readonly onResponse: () => void;
  readonly end: () => void;
}

export function watchLiveness({ isBusy, onLost, ping, times = TIMES }: LivenessOptions): Liveness {
  const { lostTicks, pauseTicks, tickMs } = times;
  let wasBusy = false;
  let receivedBytes = false;
  let mayPing = true;
  let ticksSincePing = 0;
  /** Ticks since a ping without a response; undefined if no ping is pending. */
  let silentTicks: number | undefined;
  const end = every(tickMs, () => {
    ticksSincePing += 1;
    // `wasBusy`: a call that began within this tick has not been silent for a whole tick.
    const isSilent = isBusy() && wasBusy && !receivedBytes;
    [wasBusy, receivedBytes] = [isBusy(), false];
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
      receivedBytes = true;
    },
    onResponse: () => {
      mayPing = true;
    },
    end,
  };
}

function lost(silentMs: number): Error {
  return new Error(`the connection was lost: the server did not respond to a ping within ${silentMs / 1000} s`);
}
