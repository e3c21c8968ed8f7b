/** The flags of `exec`: those of `run`, except for where to write and what to export. */
import type { Flag } from '../../cli/flags.ts';
import type { Declaration, Declarations } from '../../config/declaration.ts';
import { MachineIdError } from '../../errors.ts';
import { readRunArguments, RUN, RUN_FLAGS, type RunArguments } from '../run-flags.ts';

/** About files that stay, and later steps. */
const OF_LATER_STEPS: readonly string[] = ['destination', 'json', 'noExport', 'refresh', 'report', 'storage'];
/** Flags of the command line alone: the packed orb has a limit. */
const WITHOUT_PARAMETER: readonly string[] = ['anonymousTelemetry', 'engine', 'noHeartbeat', 'tokenFile'];

const OPTIONS = {
  command: {
    orb: { name: 'command', isRequired: true },
    help: 'The command to run: by bash with -eo pipefail, or by sh with -e if there is no bash.',
  },
} as const satisfies Declarations;

export const EXEC: Declarations = {
  ...OPTIONS,
  ...Object.fromEntries(
    Object.entries<Declaration>(RUN)
      .filter(([name]) => !OF_LATER_STEPS.includes(name))
      .map(([name, { orb, ...declaration }]) => [
        name,
        orb === undefined || WITHOUT_PARAMETER.includes(name) ? declaration : { ...declaration, orb },
      ]),
  ),
};

const NAMES = new Set(Object.values(EXEC).map(({ flag }) => flag));

export const EXEC_FLAGS: readonly Flag[] = RUN_FLAGS.filter(({ name }) => NAMES.has(name));

export interface ExecArguments extends RunArguments {
  readonly command: readonly [program: string, ...args: string[]];
}

/** @throws MachineIdError USAGE_INVALID */
export function readExecArguments(args: readonly string[]): ExecArguments {
  const end = args.indexOf('--');
  const given = readRunArguments(end === -1 ? args : args.slice(0, end), EXEC_FLAGS);
  const [program = '', ...rest] = end === -1 ? [] : args.slice(end + 1);
  if (program !== '') return { ...given, command: [program, ...rest] };
  throw new MachineIdError('USAGE_INVALID', 'there is no command to run', {
    hint: 'Put it after "--": machine-id exec --proxy-server HOST:PORT --token NAME -- COMMAND ARGUMENT...',
  });
}
