/** What the relay does to a connection, and what the cluster does to a request. */

/** `up` is from the client to the server. */
export const WAYS = ['up', 'down'] as const;
export type Way = (typeof WAYS)[number];

/**
 * Faults of every byte, in both directions.
 * - `latency`: it arrives late
 * - `jitter`: it arrives late by a random time, in order
 * - `bandwidth`: few bytes a second
 * - `slicer`: one, two or three bytes at a time
 */
export const SHAPES = ['latency', 'jitter', 'bandwidth', 'slicer'] as const;
export type Shape = (typeof SHAPES)[number];

/**
 * Faults that begin at byte N of one direction.
 * - `drip`: a byte at a time with long pauses, so that no timeout between two bytes notices it
 * - `reset`: TCP reset
 * - `close`: the connection ends
 * - `half-open`: what is sent this way is lost, also the end of the connection
 * - `stall`: nothing arrives either way
 * - `garbage`: other bytes arrive
 * - `cut-record`: the TLS record with that byte ends in its middle, and so does the connection
 */
export const BREAKS = ['drip', 'reset', 'close', 'half-open', 'stall', 'garbage', 'cut-record'] as const;
export type Break = (typeof BREAKS)[number];

export const WIRE_FAULTS = [...SHAPES, ...BREAKS] as const;
export type WireFault = (typeof WIRE_FAULTS)[number];

/** The Proxy or the Auth Service answers `429 Too Many Requests` or `503 Service Unavailable`, in gRPC the same by its status. */
export const REPLY_FAULTS = ['http-429', 'http-503'] as const;

export const FAULTS = [...WIRE_FAULTS, ...REPLY_FAULTS] as const;
export type FaultName = (typeof FAULTS)[number];

/** A fault of one connection. */
export interface Fault {
  readonly kind: WireFault;
  readonly way: Way;
  /** N: how many bytes pass unchanged in that direction. */
  readonly afterBytes: number;
  /** For random delays and bytes. */
  readonly seed: number;
}

export function isShape(kind: WireFault): kind is Shape {
  return SHAPES.some((shape) => shape === kind);
}

export const LATENCY_MS = 60;
export const JITTER_MS = 60;
export const BYTES_PER_SECOND = 24_000;
export const DRIP_PAUSE_MS = 120;
