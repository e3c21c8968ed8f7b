/** Downloads one file, going on where a connection was cut. */
import type { Clock } from '../effects/clock.ts';
import type { Log } from '../effects/log.ts';
import { MachineIdError } from '../errors.ts';
import type { DownloadAnswer, DownloadServer } from '../teleport/download-server.ts';
import { changed, gaveUp, missing, tooLarge, tooSlow, wrongRange } from './download-error.ts';

export interface DownloadSettings {
  readonly server: DownloadServer;
  readonly clock: Clock;
  readonly log: Log;
  readonly signal?: AbortSignal | undefined;
  readonly maxBytes: number;
  /** What a person can do when the server has no such file. */
  readonly missingHint: string;
  readonly onProgress?: (bytes: number, totalBytes: number | undefined) => void;
}

/** One pause before each further try; a try that brought bytes begins the list anew. */
const PAUSES_MS = [500, 1000, 2000, 4000, 8000];
/** What a server may ask for with Retry-After. */
const LONGEST_PAUSE_MS = 30_000;
/** However steadily bytes drip in. */
const LONGEST_DOWNLOAD_MS = 30 * 60_000;

/** Besides failed connections, which the server reports as TOOLS_UNREACHABLE. All 5xx count too. */
const PASSING = new Set([408, 425, 429]);

/** What is known of a file while it comes. */
interface Progress {
  bytes: number;
  totalBytes: number | undefined;
  tag: string | undefined;
}

/** @throws MachineIdError TOOLS_UNREACHABLE, TOOLS_UNAVAILABLE, TOOLS_CORRUPT, TIMEOUT */
export async function* download(url: URL, settings: DownloadSettings): AsyncGenerator<Uint8Array> {
  const { server, clock, log } = settings;
  const endsAtMs = clock.elapsedMs() + LONGEST_DOWNLOAD_MS;
  const progress: Progress = { bytes: 0, totalBytes: undefined, tag: undefined };
  for (let failures = 0; ;) {
    const before = progress.bytes;
    let retryAfterMs = 0;
    let failed: MachineIdError;
    try {
      const range = before === 0 ? undefined : { fromByte: before, ifTag: strongTag(progress.tag) };
      const answer = await server.get(url, range);
      retryAfterMs = retryAfter(answer, clock);
      for await (const part of partsOf(answer, url, progress, settings)) {
        progress.bytes += part.length;
        if (progress.bytes > settings.maxBytes) throw tooLarge(url, settings.maxBytes);
        if (clock.elapsedMs() > endsAtMs) throw tooSlow(url, LONGEST_DOWNLOAD_MS);
        settings.onProgress?.(progress.bytes, progress.totalBytes);
        yield part;
      }
      if (progress.bytes >= (progress.totalBytes ?? 0)) return;
      failed = gaveUp(url, 'the connection was closed before the end');
    } catch (error) {
      if (!(error instanceof MachineIdError) || error.code !== 'TOOLS_UNREACHABLE') throw error;
      failed = error;
    }
    failures = progress.bytes > before ? 1 : failures + 1;
    const pauseMs = PAUSES_MS[failures - 1];
    if (pauseMs === undefined || clock.elapsedMs() > endsAtMs) throw failed;
    const waitMs = Math.max(pauseMs, retryAfterMs);
    log.warn(`${failed.message}; going on at byte ${progress.bytes} in ${waitMs / 1000} s`);
    await pause(waitMs, settings);
  }
}

async function pause(waitMs: number, { clock, signal }: DownloadSettings): Promise<void> {
  try {
    await clock.sleep(waitMs, signal);
  } catch (error) {
    // Node's timers throw an error of their own for a signal.
    signal?.throwIfAborted();
    throw error;
  }
}

/** The bytes of the answer that are not there yet. */
async function* partsOf(
  answer: DownloadAnswer,
  url: URL,
  progress: Progress,
  { missingHint }: DownloadSettings,
): AsyncGenerator<Uint8Array> {
  const { status, body } = answer;
  if (status !== 200 && status !== 206) {
    await body[Symbol.asyncIterator]().return?.();
    if (PASSING.has(status) || status >= 500) throw gaveUp(url, `it answered ${status}`);
    if (status === 416) throw changed(url);
    throw missing(url, status, missingHint);
  }
  const tag = answer.header('etag');
  if (progress.tag !== undefined && tag !== undefined && tag !== progress.tag) throw changed(url);
  progress.tag ??= tag;
  const fromByte = status === 206 ? rangeOf(answer, url, progress) : 0;
  if (status === 200) progress.totalBytes = wholeNumber(answer.header('content-length'));
  // A server without ranges begins anew: what is there already is passed over, and the digest has the last word.
  let passOver = progress.bytes - fromByte;
  for await (const part of body) {
    const skipped = Math.min(passOver, part.length);
    passOver -= skipped;
    if (part.length > skipped) yield part.subarray(skipped);
  }
}

/** @returns the first byte that comes, as `Content-Range: bytes 100-199/200` says (RFC 9110 section 14.4) */
function rangeOf(answer: DownloadAnswer, url: URL, progress: Progress): number {
  const header = answer.header('content-range') ?? '';
  const [, first, total] = /^bytes (\d{1,15})-\d{1,15}\/(\d{1,15}|\*)$/.exec(header) ?? [];
  if (first === undefined || Number(first) !== progress.bytes) throw wrongRange(url, progress.bytes, header);
  const totalBytes = wholeNumber(total) ?? progress.totalBytes;
  if (progress.totalBytes !== undefined && totalBytes !== progress.totalBytes) throw changed(url);
  progress.totalBytes = totalBytes;
  return progress.bytes;
}

/** A weak tag does not stand for the very bytes, and must not be sent (RFC 9110 section 13.1.5). */
function strongTag(tag: string | undefined): string | undefined {
  return tag?.startsWith('"') === true ? tag : undefined;
}

/** Seconds or a date (RFC 9110 section 10.2.3). */
function retryAfter(answer: DownloadAnswer, clock: Clock): number {
  const text = answer.header('retry-after');
  if (text === undefined) return 0;
  const seconds = wholeNumber(text);
  const waitMs = seconds === undefined ? Date.parse(text) - clock.nowMs() : seconds * 1000;
  return Number.isNaN(waitMs) ? 0 : Math.min(Math.max(waitMs, 0), LONGEST_PAUSE_MS);
}

function wholeNumber(text: string | undefined): number | undefined {
  return text !== undefined && /^\d{1,15}$/.test(text) ? Number(text) : undefined;
}
