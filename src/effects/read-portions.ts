/** Reads a stream to its end, with a limit on its bytes and on the time that it takes. */

export interface PortionLimits {
  /** For messages: `the pipe`. */
  readonly name: string;
  readonly maxBytes: number;
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
}

/**
 * What is left of the stream afterwards is the caller's to close.
 * @throws Error when there is more than `maxBytes` or the time is up; the reason of the signal
 */
export async function readPortions(
  source: AsyncIterable<Uint8Array>,
  { name, maxBytes, timeoutMs, signal }: PortionLimits,
): Promise<Buffer> {
  signal.throwIfAborted();
  const portions: Uint8Array[] = [];
  const iterator = source[Symbol.asyncIterator]();
  let timer: NodeJS.Timeout | undefined;
  let onAbort: (() => void) | undefined;
  const stopped = new Promise<never>((_resolve, reject) => {
    const late = `${name} did not end within ${timeoutMs / 1000} s`;
    timer = setTimeout(reject, timeoutMs, new Error(late));
    onAbort = () => {
      reject(signal.reason instanceof Error ? signal.reason : new Error(String(signal.reason)));
    };
    signal.addEventListener('abort', onAbort, { once: true });
  });
  try {
    for (let bytes = 0; ;) {
      const next = await Promise.race([iterator.next(), stopped]);
      if (next.done === true) return Buffer.concat(portions);
      bytes += next.value.length;
      if (bytes > maxBytes) throw new Error(`${name} gave more than ${maxBytes} bytes`);
      portions.push(next.value);
    }
  } finally {
    clearTimeout(timer);
    if (onAbort !== undefined) signal.removeEventListener('abort', onAbort);
  }
}
