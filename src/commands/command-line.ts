/** Reads a command's flags from its arguments, all faults together. */
import { parseArgs } from 'node:util';
import { unexpandedPath } from '../config/unexpanded.ts';
import { type Fault, MachineIdError } from '../errors.ts';

export interface Flag {
  /** Without the dashes. */
  readonly name: string;
  readonly short?: string;
  /** Other names for the same flag. */
  readonly aliases?: readonly string[];
  /** What stands for the value in the help; a flag without it is a switch. */
  readonly value?: string;
  readonly repeatable?: boolean;
  /** The value is a path that this command uses as it stands; the configuration checks its own. */
  readonly isPath?: boolean;
  readonly help: string;
}

/** Flags as given; a switch is there with the value `''`. */
export type GivenFlags = ReadonlyMap<string, readonly string[]>;

/** @throws MachineIdError USAGE_INVALID */
export function parseFlags(flags: readonly Flag[], args: readonly string[]): GivenFlags {
  return parseCommandLine(flags, args).given;
}

export interface CommandLine {
  readonly given: GivenFlags;
  /** What stands without a flag. */
  readonly operand: string | undefined;
}

/**
 * @param operandName what stands without a flag, once and necessarily: a path; such a thing is refused without it
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
  const faults: Fault[] = [];
  let operand: string | undefined;
  for (const token of tokens) {
    if (token.kind === 'option-terminator') continue;
    if (token.kind === 'positional' && operandName !== undefined && operand === undefined) {
      operand = token.value;
      const fault = unexpandedPath(operand);
      if (fault !== undefined) faults.push({ path: operandName, message: fault });
    } else if (token.kind === 'positional') {
      faults.push({ path: token.value, message: 'arguments without a flag are not expected' });
    } else {
      const flag = byName.get(token.name);
      const fault = flag === undefined ? unknownFlag(token.rawName, [...byName.keys()]) : wrongUse(flag, token, given);
      if (fault !== undefined) faults.push({ path: token.rawName, message: fault });
      else if (flag !== undefined) push(given, flag.name, token.value ?? '');
    }
  }
  if (operandName !== undefined && operand === undefined) faults.push({ path: operandName, message: 'is missing' });
  if (faults.length > 0) throw wrongFlags(faults);
  return { given, operand };
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
  // The next flag in the place of the value: the value was forgotten. `--flag=-x` says that it is meant.
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

function wrongFlags(faults: readonly Fault[]): MachineIdError {
  return new MachineIdError('USAGE_INVALID', 'the command line is wrong', {
    hint: 'See the flags of the command with --help.',
    faults,
  });
}
