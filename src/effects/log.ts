/** Lines for people (or for log collectors), on stderr. */
import { printable } from '../errors.ts';

export interface Log {
  debug(message: string): void;
  info(message: string): void;
  warn(message: string): void;
}

export interface LogOptions {
  readonly format: 'text' | 'json';
  /** Whether `debug` lines are shown. */
  readonly debug: boolean;
  readonly nowMs: () => number;
}

/** A log that hands one line a message to `write`. */
export function createLog(write: (text: string) => void, { format, debug, nowMs }: LogOptions): Log {
  const line = (level: 'debug' | 'info' | 'warning', message: string) => {
    if (format === 'json') {
      write(`${JSON.stringify({ time: new Date(nowMs()).toISOString(), level, message })}\n`);
    } else {
      write(`${level === 'info' ? '' : `${level}: `}${printable(message)}\n`);
    }
  };
  return {
    debug: (message) => {
      if (debug) line('debug', message);
    },
    info: (message) => {
      line('info', message);
    },
    warn: (message) => {
      line('warning', message);
    },
  };
}
