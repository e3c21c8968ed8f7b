/** Reads a command's flags from its arguments, all problems together. */
import { parseArgs } from 'node:util';
import type { Declaration, Declarations } from '../config/declaration.ts';
import { createLog } from '../effects/log.ts';
import { RETRY_POLICY } from '../effects/retry.ts';
import type { World } from '../effects/world.ts';
import { MachineIdError, type Problem } from '../errors.ts';
import { startWireTrace, type WireTrace } from '../net/trace.ts';
import { unexpandedPath } from '../schema/unexpanded.ts';

export interface Flag extends Pick<Declaration, 'short' | 'aliases' | 'value' | 'repeatable' | 'isPath' | 'help'> {
  /** Without the dashes. */
  readonly name: string;
}

const EFFECTS = { none: ['Accepted; has no effect.'], tbot: ['Has an effect with --engine tbot only.'] } as const;

/** The flags that are declared, with variable, default and effect in their help. */
export function flagsOf(declarations: Declarations): readonly Flag[] {
  return Object.values(declarations).flatMap(
    ({ aliases, effect, env, flag, help, isPath, preset, repeatable, short, value }) => {
      if (flag === undefined) return [];
      const more = [
        ...(effect === undefined ? [] : EFFECTS[effect]),
        ...(env === undefined ? [] : [`Variable: ${env}.`]),
        ...(preset === undefined ? [] : [`Default: ${preset}.`]),
      ];
      const form = { ...(short && { short }), ...(aliases && { aliases }), ...(value && { value }) };
      const kind = { ...(repeatable && { repeatable }), ...(isPath && { isPath }) };
      return [{ name: flag, ...form, ...kind, help: [help, ...more].join(' ') }];
    },
  );
}

/** Flags as given; a switch is there with the value `''`. */
export type GivenFlags = ReadonlyMap<string, readonly string[]>;

/** @throws MachineIdError USAGE_INVALID */
export function parseFlags(flags: readonly Flag[], args: readonly string[]): GivenFlags {
  return parseCommandLine(flags, args).given;
}

interface CommandLine {
  readonly given: GivenFlags;
  /** The arguments without a flag. */
  readonly operands: readonly string[];
}

/**
 * @param operandName name of arguments without a flag, which are paths; without a name, none is accepted
 * @throws MachineIdError USAGE_INVALID
 */
export function parseCommandLine(flags: readonly Flag[], args: readonly string[], operandName?: string): CommandLine {
  const byName = new Map(flags.flatMap((flag) => [flag.name, ...(flag.aliases ?? [])].map((name) => [name, flag])));
  const options = Object.fromEntries(
    [...byName].map(([name, flag]) => [
      name,
      {
        type: flag.value === undefined ? ('boolean' as const) : ('string' as const),
        multiple: true,
        ...(flag.short === undefined || name !== flag.name ? {} : { short: flag.short }),
      },
    ]),
  );
  const { tokens } = parseArgs({ args: [...args], options, strict: false, tokens: true, allowPositionals: true });
  const given = new Map<string, string[]>();
  const problems: Problem[] = [];
  const operands: string[] = [];
  for (const token of tokens) {
    if (token.kind === 'option-terminator') continue;
    if (token.kind === 'positional' && operandName !== undefined) {
      operands.push(token.value);
      const problem = unexpandedPath(token.value);
      if (problem !== undefined) problems.push({ path: operandName, message: problem });
    } else if (token.kind === 'positional') {
      problems.push({ path: token.value, message: 'arguments without a flag are not expected' });
    } else {
      const flag = byName.get(token.name);
      const problem =
        flag === undefined ? unknownFlag(token.rawName, [...byName.keys()]) : wrongUse(flag, token, given);
      if (problem !== undefined) problems.push({ path: token.rawName, message: problem });
      else if (flag !== undefined) push(given, flag.name, token.value ?? '');
    }
  }
  if (problems.length > 0) throw wrongFlags(problems);
  return { given, operands };
}

function push(given: Map<string, string[]>, name: string, value: string): void {
  const others = given.get(name);
  if (others === undefined) given.set(name, [value]);
  else others.push(value);
}

interface FlagToken {
  readonly value?: string | undefined;
  readonly inlineValue?: boolean | undefined;
}

function wrongUse(flag: Flag, { value, inlineValue }: FlagToken, given: GivenFlags): string | undefined {
  if (flag.value === undefined) return value === undefined ? undefined : 'takes no value';
  // Another flag follows instead of a value: the value is missing. `--flag=-x` passes a value with a leading dash.
  const forgotten = value === undefined || value === '' || (inlineValue !== true && value.startsWith('-'));
  if (forgotten) return `needs a value: ${flag.value}`;
  if (flag.repeatable !== true && given.has(flag.name)) return 'is given more than once';
  return flag.isPath === true ? unexpandedPath(value) : undefined;
}

function unknownFlag(rawName: string, known: readonly string[]): string {
  const wanted = rawName.replace(/^-+/, '');
  const near = known.find((name) => name.startsWith(wanted) || wanted.startsWith(name));
  return `is not a known flag${near === undefined ? '' : `; did you mean --${near}?`}`;
}

/** For problems that a command finds itself. */
export function wrongFlags(problems: readonly Problem[]): MachineIdError {
  return new MachineIdError('USAGE_INVALID', 'the command line is invalid', {
    hint: 'See the flags of the command with --help.',
    problems,
  });
}

// The flags `--timeout` and `--deadline`, which several commands have.

const DEFAULT_TIMEOUT_MS = 30_000;
const MAX_SECONDS = 3600;

/** @throws MachineIdError USAGE_INVALID */
export function timeoutMs(given: GivenFlags): number {
  return secondsOf(given, 'timeout', DEFAULT_TIMEOUT_MS, 'for each response');
}

/** @throws MachineIdError USAGE_INVALID */
export function deadlineMs(given: GivenFlags, defaultMs: number = RETRY_POLICY.deadlineMs): number {
  return secondsOf(given, 'deadline', defaultMs, 'in total');
}

function secondsOf(given: GivenFlags, name: string, defaultMs: number, forWhat: string): number {
  const text = given.get(name)?.[0];
  if (text === undefined) return defaultMs;
  const seconds = /^\d{1,4}(\.\d{1,3})?$/.test(text) ? Number(text) : 0;
  if (seconds > 0 && seconds <= MAX_SECONDS) return seconds * 1000;
  throw new MachineIdError(
    'USAGE_INVALID',
    `--${name} must be a number of seconds between 0.001 and ${MAX_SECONDS}, got ${JSON.stringify(text)}`,
    { hint: `Leave it out for ${defaultMs / 1000} seconds ${forWhat}.` },
  );
}

// The flag `--debug`, for commands that read no configuration.

export const DEBUG = {
  flag: 'debug',
  short: 'd',
  env: 'TBOT_DEBUG',
  help: 'Log more to stderr.',
} as const satisfies Declaration;

/** Does not parse the flags, as a report is needed even if they are the problem. */
export function wantsDebug(args: readonly string[], { environment }: Pick<World, 'environment'>): boolean {
  return args.includes('--debug') || args.includes('-d') || /^(1|true)$/i.test(environment.TBOT_DEBUG ?? '');
}

/** @param write to stderr */
export function debugTrace(args: readonly string[], world: World, write = world.stderr): WireTrace | undefined {
  if (!wantsDebug(args, world)) return undefined;
  const { clock } = world;
  const log = createLog(write, { format: 'text', debug: true, nowMs: () => clock.nowMs() });
  return startWireTrace(log, clock);
}
