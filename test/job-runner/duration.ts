/** Reads CircleCI's durations, such as `90s`, `10m` or `1h30m`. */
import { ConfigError } from './config-error.ts';

const UNIT_MS = new Map([
  ['s', 1000],
  ['m', 60_000],
  ['h', 3_600_000],
]);

export function durationMs(text: string, where: string): number {
  if (!/^(?:\d+(?:\.\d+)?[smh])+$/.test(text)) throw new ConfigError(where, `${text} is no duration such as 10m`);
  const parts = text.matchAll(/(\d+(?:\.\d+)?)([smh])/g);
  return [...parts].reduce((sum, [, count, unit]) => sum + Number(count) * (UNIT_MS.get(unit ?? '') ?? 0), 0);
}
