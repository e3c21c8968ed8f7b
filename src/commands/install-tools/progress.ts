/** Reports the progress of a download. */
import type { Clock } from '../../effects/time.ts';

interface ProgressOptions {
  readonly clock: Clock;
  readonly write: (text: string) => void;
  /** Whether a line can be overwritten. */
  readonly isTerminal: boolean;
}

export interface DownloadProgress {
  /** Called for every chunk; prints a line at intervals and at the end. */
  readonly report: (bytes: number, totalBytes: number | undefined) => void;
  /** Ends the current line on a terminal. */
  readonly end: () => void;
}

const TERMINAL_INTERVAL_MS = 200;
const LOG_INTERVAL_MS = 5000;
const MEGABYTE = 1_000_000;

export function downloadProgress({ clock, write, isTerminal }: ProgressOptions): DownloadProgress {
  const startedAtMs = clock.elapsedMs();
  let printedAtMs = startedAtMs;
  let lineIsOpen = false;
  return {
    report: (bytes, totalBytes) => {
      const nowMs = clock.elapsedMs();
      const isComplete = bytes === totalBytes;
      if (!isComplete && nowMs - printedAtMs < (isTerminal ? TERMINAL_INTERVAL_MS : LOG_INTERVAL_MS)) return;
      printedAtMs = nowMs;
      const line = progressLine(bytes, totalBytes, nowMs - startedAtMs);
      // The padding erases the rest of a longer line.
      write(isTerminal ? `\r${line.padEnd(60)}` : `${line}\n`);
      lineIsOpen = isTerminal;
    },
    end: () => {
      if (lineIsOpen) write('\n');
      lineIsOpen = false;
    },
  };
}

function progressLine(bytes: number, totalBytes: number | undefined, elapsedMs: number): string {
  const speed = `${(bytes / MEGABYTE / Math.max(elapsedMs / 1000, 0.001)).toFixed(1)} MB/s`;
  const megabytes = (bytes / MEGABYTE).toFixed(1);
  if (totalBytes === undefined) return `downloaded ${megabytes} MB, ${speed}`;
  const percent = Math.floor((bytes / Math.max(totalBytes, 1)) * 100);
  return `downloaded ${percent}% of ${(totalBytes / MEGABYTE).toFixed(1)} MB, ${speed}`;
}
