/** Downloads one file, and resumes after an interrupted connection. */
import type { Clock } from '../../effects/time.ts';
import { isTransientHttpStatus, type Retries } from '../../effects/retry.ts';
import { MachineIdError, type Transient } from '../../errors.ts';
import { corrupt } from './archive.ts';
import type { DownloadResponse, DownloadServer } from './download-server.ts';

export interface DownloadSettings {
  readonly server: DownloadServer;
  readonly clock: Clock;
  readonly retries: Retries;
  readonly maxBytes: number;
  /** The hint of the error when the server does not have the file. */
  readonly missingHint: string;
  readonly onProgress?: (bytes: number, totalBytes: number | undefined) => void;
}

/** Limits the total time of a download that is slow but never stalls. */
const MAX_DOWNLOAD_MS = 30 * 60_000;

/** The state of a file that is being downloaded. */
interface Progress {
  bytes: number;
  totalBytes: number | undefined;
  tag: string | undefined;
}

/**
 * A large file may take longer than the deadline, which restarts with each received byte.
 * @throws MachineIdError TOOLS_UNREACHABLE, TOOLS_UNAVAILABLE, TOOLS_CORRUPT, TIMEOUT
 */
export async function* download(url: URL, settings: DownloadSettings): AsyncGenerator<Uint8Array> {
  const { server, clock } = settings;
  const endsAtMs = clock.elapsedMs() + MAX_DOWNLOAD_MS;
  const progress: Progress = { bytes: 0, totalBytes: undefined, tag: undefined };
  let retries = settings.retries.withNewDeadline();
  let tries = retries.begin();
  for (;;) {
    const before = progress.bytes;
    try {
      const range = before === 0 ? undefined : { fromByte: before, ifTag: strongTag(progress.tag) };
      const response = await server.get(url, { range, stallMs: retries.attemptMs() });
      for await (const chunk of newChunks(response, url, progress, settings)) {
        progress.bytes += chunk.length;
        if (progress.bytes > settings.maxBytes) throw tooLarge(url, settings.maxBytes);
        if (clock.elapsedMs() > endsAtMs) throw tooSlow(url, MAX_DOWNLOAD_MS);
        settings.onProgress?.(progress.bytes, progress.totalBytes);
        yield chunk;
      }
      if (progress.bytes >= (progress.totalBytes ?? 0)) return;
      throw interrupted(url, 'the connection was closed before the end', {});
    } catch (error) {
      if (progress.bytes > before) {
        retries = settings.retries.withNewDeadline();
        tries = retries.begin();
      }
      if (clock.elapsedMs() > endsAtMs) throw error;
      await tries.waitToRetry(error, `resuming at byte ${progress.bytes}`);
    }
  }
}

/** The bytes of the response that have not been received yet. */
async function* newChunks(
  response: DownloadResponse,
  url: URL,
  progress: Progress,
  { missingHint, retries }: DownloadSettings,
): AsyncGenerator<Uint8Array> {
  const { status, body } = response;
  if (status !== 200 && status !== 206) {
    await body[Symbol.asyncIterator]().return?.();
    if (isTransientHttpStatus(status, 'other')) {
      throw interrupted(url, `the server responded with status ${status}`, {
        afterMs: retries.askedPauseMs({ get: (name) => response.header(name) }),
      });
    }
    if (status === 416) throw changed(url);
    throw missing(url, status, missingHint);
  }
  const tag = response.header('etag');
  if (progress.tag !== undefined && tag !== undefined && tag !== progress.tag) throw changed(url);
  progress.tag ??= tag;
  const fromByte = status === 206 ? rangeOf(response, url, progress) : 0;
  if (status === 200) progress.totalBytes = wholeNumber(response.header('content-length'));
  // A server without ranges starts over: skip the bytes received before; the digest detects a different file.
  let toSkip = progress.bytes - fromByte;
  for await (const chunk of body) {
    const skipped = Math.min(toSkip, chunk.length);
    toSkip -= skipped;
    if (chunk.length > skipped) yield chunk.subarray(skipped);
  }
}

/** @returns the position of the first byte, from `Content-Range: bytes 100-199/200` (RFC 9110 section 14.4) */
function rangeOf(response: DownloadResponse, url: URL, progress: Progress): number {
  const header = response.header('content-range') ?? '';
  const [, first, total] = /^bytes (\d{1,15})-\d{1,15}\/(\d{1,15}|\*)$/.exec(header) ?? [];
  if (first === undefined || Number(first) !== progress.bytes) throw wrongRange(url, progress.bytes, header);
  const totalBytes = wholeNumber(total) ?? progress.totalBytes;
  if (progress.totalBytes !== undefined && totalBytes !== progress.totalBytes) throw changed(url);
  progress.totalBytes = totalBytes;
  return progress.bytes;
}

/** A weak tag does not identify the exact bytes, and must not be sent (RFC 9110 section 13.1.5). */
function strongTag(tag: string | undefined): string | undefined {
  return tag?.startsWith('"') === true ? tag : undefined;
}

function wholeNumber(text: string | undefined): number | undefined {
  return text !== undefined && /^\d{1,15}$/.test(text) ? Number(text) : undefined;
}

/** The URL without parts that may be secret. */
function displayUrl({ protocol, host, pathname }: URL): string {
  return `${protocol}//${host}${pathname}`;
}

function interrupted(url: URL, reason: string, transient: Transient): MachineIdError {
  return new MachineIdError('TOOLS_UNREACHABLE', `${displayUrl(url)} cannot be downloaded: ${reason}`, {
    hint: 'Run the job again, or set a mirror with --cdn-base-url or TELEPORT_CDN_BASE_URL.',
    transient,
  });
}

function missing(url: URL, status: number, hint: string): MachineIdError {
  return new MachineIdError(
    'TOOLS_UNAVAILABLE',
    `${displayUrl(url)} cannot be downloaded: the server responded with status ${status}`,
    {
      hint,
    },
  );
}

function tooLarge(url: URL, maxBytes: number): MachineIdError {
  return corrupt(`${displayUrl(url)} has more than ${maxBytes} bytes`);
}

function changed(url: URL): MachineIdError {
  return corrupt(`${displayUrl(url)} was replaced while it was being downloaded`);
}

function wrongRange(url: URL, fromByte: number, range: string): MachineIdError {
  return corrupt(`${displayUrl(url)} was requested from byte ${fromByte}, got ${JSON.stringify(range.slice(0, 80))}`);
}

function tooSlow(url: URL, limitMs: number): MachineIdError {
  return new MachineIdError('TIMEOUT', `${displayUrl(url)} was not downloaded within ${limitMs / 60_000} minutes`, {
    hint: 'Set a faster mirror with --cdn-base-url or TELEPORT_CDN_BASE_URL.',
  });
}
