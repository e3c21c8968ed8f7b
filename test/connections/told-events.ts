/** A trace that records its events, as a run with --debug --log-format json would print them. */
import { z } from 'zod';
import { createLog } from '../../src/effects/log.ts';
import { startWireTrace, type WireTrace } from '../../src/net/trace.ts';

/** Without times, which no test can predict. */
export type Told = Readonly<Record<string, unknown>>;

export interface KeptTrace {
  readonly trace: WireTrace;
  /** All events without their times, in order. */
  readonly told: () => readonly Told[];
  /** All lines as they were written. */
  readonly text: () => string;
  /** Resolves when a connection was closed. */
  readonly closed: Promise<void>;
}

export function keptTrace(): KeptTrace {
  const lines: string[] = [];
  let onClosed: () => void = () => undefined;
  const closed = new Promise<void>((resolve) => {
    onClosed = resolve;
  });
  const write = (line: string) => {
    lines.push(line);
    if (line.includes('"event":"closed"')) onClosed();
  };
  const log = createLog(write, { format: 'json', debug: true, nowMs: () => 0 });
  return {
    trace: startWireTrace(log, { elapsedMs: () => 0 }),
    closed,
    text: () => lines.join(''),
    told: () => lines.map(withoutTimes),
  };
}

const TIMES = ['time', 'atMs', 'durationMs', 'level', 'message'];

function withoutTimes(line: string): Told {
  const facts = z.record(z.string(), z.unknown()).parse(JSON.parse(line));
  return Object.fromEntries(Object.entries(facts).filter(([name]) => !TIMES.includes(name)));
}
