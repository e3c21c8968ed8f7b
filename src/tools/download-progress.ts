/** Tells a person how far a download has come. */
import type { Clock } from '../effects/clock.ts';

export interface ProgressOptions {
  readonly clock: Clock;
  readonly write: (text: string) => void;
  /** Whether one line can be written over itself. */
  readonly isTerminal: boolean;
}

export interface DownloadProgress {
  /** Called for every portion; says something now and then. */
  readonly report: (bytes: number, totalBytes: number | undefined) => void;
  /** Ends the line, if one was begun. */
  readonly end: () => void;
}

const TERMINAL_PAUSE_MS = 200;
const PLAIN_PAUSE_MS = 5000;
const MEGABYTE = 1_000_000;

export function downloadProgress({ clock, write, isTerminal }: ProgressOptions): DownloadProgress {
  const startedAtMs = clock.elapsedMs();
  let saidAtMs = startedAtMs;
  let lineIsOpen = false;
  return {
    report: (bytes, totalBytes) => {
      const nowMs = clock.elapsedMs();
      const whole = bytes === totalBytes;
      if (!whole && nowMs - saidAtMs < (isTerminal ? TERMINAL_PAUSE_MS : PLAIN_PAUSE_MS)) return;
      saidAtMs = nowMs;
      const line = progressLine(bytes, totalBytes, nowMs - startedAtMs);
      // Blanks cover what a longer line before has left.
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
