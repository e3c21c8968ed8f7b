/** Downloads one file, going on where a connection was cut. */
import type { Clock } from '../effects/clock.ts';
import { isPassingHttpStatus, type Retries } from '../effects/retry.ts';
import type { DownloadAnswer, DownloadServer } from '../teleport/download-server.ts';
import { changed, gaveUp, missing, tooLarge, tooSlow, wrongRange } from './download-error.ts';

export interface DownloadSettings {
  readonly server: DownloadServer;
  readonly clock: Clock;
  readonly retries: Retries;
  readonly maxBytes: number;
  /** What a person can do when the server has no such file. */
  readonly missingHint: string;
  readonly onProgress?: (bytes: number, totalBytes: number | undefined) => void;
}

/** However steadily bytes drip in. */
const LONGEST_DOWNLOAD_MS = 30 * 60_000;

/** What is known of a file while it comes. */
interface Progress {
  bytes: number;
  totalBytes: number | undefined;
  tag: string | undefined;
}

/**
 * A large file may take longer than the deadline: it holds from the last byte that came.
 * @throws MachineIdError TOOLS_UNREACHABLE, TOOLS_UNAVAILABLE, TOOLS_CORRUPT, TIMEOUT
 */
export async function* download(url: URL, settings: DownloadSettings): AsyncGenerator<Uint8Array> {
  const { server, clock } = settings;
  const endsAtMs = clock.elapsedMs() + LONGEST_DOWNLOAD_MS;
  const progress: Progress = { bytes: 0, totalBytes: undefined, tag: undefined };
  let retries = settings.retries.renewed();
  let tries = retries.begin();
  for (;;) {
    const before = progress.bytes;
    try {
      const range = before === 0 ? undefined : { fromByte: before, ifTag: strongTag(progress.tag) };
      const answer = await server.get(url, { range, stallMs: retries.attemptMs() });
      for await (const part of partsOf(answer, url, progress, settings)) {
        progress.bytes += part.length;
        if (progress.bytes > settings.maxBytes) throw tooLarge(url, settings.maxBytes);
        if (clock.elapsedMs() > endsAtMs) throw tooSlow(url, LONGEST_DOWNLOAD_MS);
        settings.onProgress?.(progress.bytes, progress.totalBytes);
        yield part;
      }
      if (progress.bytes >= (progress.totalBytes ?? 0)) return;
      throw gaveUp(url, 'the connection was closed before the end', {});
    } catch (error) {
      if (progress.bytes > before) {
        retries = settings.retries.renewed();
        tries = retries.begin();
      }
      if (clock.elapsedMs() > endsAtMs) throw error;
      await tries.again(error, `going on at byte ${progress.bytes}`);
    }
  }
}

/** The bytes of the answer that are not there yet. */
async function* partsOf(
  answer: DownloadAnswer,
  url: URL,
  progress: Progress,
  { missingHint, retries }: DownloadSettings,
): AsyncGenerator<Uint8Array> {
  const { status, body } = answer;
  if (status !== 200 && status !== 206) {
    await body[Symbol.asyncIterator]().return?.();
    if (isPassingHttpStatus(status, 'other')) {
      throw gaveUp(url, `it answered ${status}`, {
        afterMs: retries.askedPauseMs({ get: (name) => answer.header(name) }),
      });
    }
    if (status === 416) throw changed(url);
    throw missing(url, status, missingHint);
  }
  const tag = answer.header('etag');
  if (progress.tag !== undefined && tag !== undefined && tag !== progress.tag) throw changed(url);
  progress.tag ??= tag;
  const fromByte = status === 206 ? rangeOf(answer, url, progress) : 0;
  if (status === 200) progress.totalBytes = wholeNumber(answer.header('content-length'));
  // A server without ranges starts over: the bytes already received are skipped, and the digest decides.
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

function wholeNumber(text: string | undefined): number | undefined {
  return text !== undefined && /^\d{1,15}$/.test(text) ? Number(text) : undefined;
}
