/** Runs the command that the arguments name, and turns a failure into a report and an exit code. */
import { wantsDebug } from './cli/flags.ts';
import { errorLine, errorReport, stderrStyle } from './cli/print.ts';
import { type Command, commandHelp, commandName, COMMANDS, textFor } from './command-table.ts';
import type { Invocation } from './commands/orb-step.ts';
import { BACKGROUND_COMMAND, type World } from './effects/world.ts';
import { failureOf, MachineIdError } from './errors.ts';

/** Commands that other commands start; not listed in the help. */
const INTERNAL: readonly Command[] = [
  {
    name: 'keeper',
    summary: 'Renew the credentials of a run; "run --refresh" starts it.',
    flags: async () => (await import('./commands/start-keeper.ts')).KEEPER_FLAGS,
    act: async (args, world) => (await import('./commands/keeper.ts')).keeper(args, world),
  },
];

/** The command that steps of the orb call; not listed in the help. */
const ORB_STEP = 'orb-step';

/** @returns the exit code: 0 done, 1 failed, 2 wrong input; or that of a program that ran in its place */
export async function runProgram(args: readonly string[], world: World): Promise<number> {
  let call: Invocation = { args, world };
  try {
    if (args[0] === ORB_STEP) {
      const { invocationOf, withOrbTerms } = await import('./commands/orb-step.ts');
      call = { args, world: withOrbTerms(world) };
      call = await invocationOf(call);
    }
    if (args[0] === BACKGROUND_COMMAND) call = { args: args.slice(1), world: await inBackground(world) };
    return (await runCommand(call.args, call.world)) ?? 0;
  } catch (cause) {
    const { withProxyCause } = await import('./net/egress-cause.ts');
    const error = withProxyCause(failureOf(cause, world.signal), world.environment);
    reportFailure(error, call.args, call.world);
    return error.exitCode;
  }
}

/** Another process of this program has started this one, and is at the other end of the pipe. */
async function inBackground(world: World): Promise<World> {
  try {
    return { ...world, starter: await world.openStarterPipe() };
  } catch (cause) {
    throw new MachineIdError('USAGE_INVALID', `"${BACKGROUND_COMMAND}" is not for use on a command line`, {
      hint: 'Call the command without it: "run --refresh", or "tunnel".',
      cause,
    });
  }
}

async function runCommand(args: readonly string[], world: World): Promise<number | undefined> {
  const text = textFor(args);
  if (text !== undefined) return write(text, world);
  const { command, rest } = findCommand(args);
  const own = ownArguments(rest);
  if (own.includes('--help') || own.includes('-h')) return write(commandHelp(command, await command.flags()), world);
  const exitCode = await command.act(rest, world);
  return typeof exitCode === 'number' ? exitCode : undefined;
}

async function write(text: string, world: World): Promise<undefined> {
  await world.stdout(text);
}

/** Without those of another program, which follow `--`. */
function ownArguments(args: readonly string[]): readonly string[] {
  const end = args.indexOf('--');
  return end === -1 ? args : args.slice(0, end);
}

/** Writes to stderr, in the format that the arguments request. */
export function reportFailure(error: MachineIdError, args: readonly string[], world: World): void {
  const debug = wantsDebug(ownArguments(args), world);
  world.stderr(
    wantsJsonLog(args)
      ? errorLine(error, { debug, nowMs: world.clock.nowMs() })
      : errorReport(error, { debug, style: stderrStyle(world) }),
  );
}

function findCommand(args: readonly string[]): { readonly command: Command; readonly rest: readonly string[] } {
  const [name = '', second = ''] = args;
  const wanted = commandName(name);
  const ofTwo = COMMANDS.find((one) => one.name === `${wanted} ${second}`);
  if (ofTwo !== undefined) return { command: ofTwo, rest: args.slice(2) };
  const command = [...COMMANDS, ...INTERNAL].find((one) => one.name === wanted);
  if (command !== undefined) return { command, rest: args.slice(1) };
  throw new MachineIdError('USAGE_INVALID', `unknown command ${JSON.stringify(name)}`, {
    hint: `The commands are ${COMMANDS.map((one) => one.name).join(', ')}; see "machine-id --help".`,
  });
}

/** Tolerates other problems of the command line, like `wantsDebug`. */
function wantsJsonLog(args: readonly string[]): boolean {
  return ownArguments(args).some(
    (arg, at) => arg === '--log-format=json' || (arg === 'json' && args[at - 1] === '--log-format'),
  );
}
