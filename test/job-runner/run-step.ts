/** Resolves one `run` step. */
import { ConfigError } from './config-error.ts';
import { durationMs } from './duration.ts';
import { substitute, unescapeText } from './expressions.ts';
import type { Values } from './expressions.ts';
import { mapping, optionalText, requireKeys, text } from './mapping.ts';
import type { Mapping } from './mapping.ts';
import { resolveEnvironment } from './environment.ts';

const WHEN = ['on_success', 'on_fail', 'always'] as const;
export type When = (typeof WHEN)[number];

export interface RunStep {
  readonly kind: 'run';
  readonly name: string;
  readonly command: string;
  readonly shell: string | undefined;
  readonly environment: Readonly<Record<string, string>>;
  readonly workingDirectory: string | undefined;
  readonly when: When;
  /** The next step starts at once. */
  readonly background: boolean;
  /** CircleCI limits the time without output; this runner limits the time of the whole step. */
  readonly timeoutMs: number | undefined;
}

const KEYS = [
  ...['name', 'command', 'shell', 'environment', 'working_directory', 'when', 'background'],
  'no_output_timeout',
] as const;

export function resolveRun(body: unknown, values: Values, where: string): RunStep {
  const { environment, ...rest } = typeof body === 'string' ? { command: body } : mapping(body, where);
  requireKeys(rest, KEYS, where);
  const run = mapping(substitute(rest, values, where), where);
  const command = unescapeText(text(run.command, `${where}.command`));
  const timeout = optionalText(run.no_output_timeout, `${where}.no_output_timeout`);
  return {
    kind: 'run',
    name: plain(run, 'name', where) ?? command,
    command,
    shell: shellOf(run, where),
    environment: resolveEnvironment(environment, values, `${where}.environment`),
    workingDirectory: plain(run, 'working_directory', where),
    when: whenOf(run.when, where),
    background: flag(run.background, `${where}.background`),
    timeoutMs: timeout === undefined ? undefined : durationMs(timeout, `${where}.no_output_timeout`),
  };
}

function flag(value: unknown, where: string): boolean {
  if (value === undefined || typeof value === 'boolean') return value ?? false;
  throw new ConfigError(where, 'must be true or false');
}

/** Rejects an empty text, because its meaning is not documented. */
function shellOf(run: Mapping, where: string): string | undefined {
  const shell = plain(run, 'shell', where);
  if (shell === '') throw new ConfigError(`${where}.shell`, 'must name a shell');
  return shell;
}

function plain(run: Mapping, key: string, where: string): string | undefined {
  const found = optionalText(run[key], `${where}.${key}`);
  return found === undefined ? undefined : unescapeText(found);
}

export function whenOf(value: unknown, where: string): When {
  if (value === undefined) return 'on_success';
  const found = WHEN.find((name) => name === value);
  if (found === undefined) throw new ConfigError(`${where}.when`, `must be one of ${WHEN.join(', ')}`);
  return found;
}
