/** The log: one line per message, as text for people or as JSON for log collectors. */
import { printable, printableJson } from '../errors.ts';
import { PLAIN, type Style } from './terminal.ts';

export interface Log {
  /** @param facts additional keys of the JSON line */
  debug(message: string, facts?: Readonly<Record<string, unknown>>): void;
  info(message: string, facts?: Readonly<Record<string, unknown>>): void;
  warn(message: string): void;
}

export interface LogOptions {
  readonly format: 'text' | 'json';
  /** Whether `debug` lines are shown. */
  readonly debug: boolean;
  readonly nowMs: () => number;
  /** Defaults to plain. */
  readonly style?: Style;
}

/** @param write called with one line per message */
export function createLog(write: (text: string) => void, { format, debug, nowMs, style = PLAIN }: LogOptions): Log {
  const asJson = (level: string, message: string, facts = {}) => {
    const time = new Date(nowMs()).toISOString();
    write(`${printableJson({ time, level, message: printable(message), ...facts })}\n`);
  };
  const asText = (label: string, message: string) => {
    write(`${label}${printable(message)}\n`);
  };
  const isJson = format === 'json';
  return {
    debug: (message, facts) => {
      if (!debug) return;
      if (isJson) asJson('debug', message, facts);
      else write(style.dim(`debug: ${printable(message)}`) + '\n');
    },
    info: (message, facts) => {
      if (isJson) asJson('info', message, facts);
      else asText('', message);
    },
    warn: (message) => {
      if (isJson) asJson('warning', message);
      else asText(style.warning('warning: '), message);
    },
  };
}
