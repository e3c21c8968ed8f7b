/** The parts of docs/reference/cli.md, from the table of commands and the declarations of their flags. */
import type { Flag } from '../../src/cli/flags.ts';
import { ERROR_CODES, MachineIdError } from '../../src/errors.ts';
import { type Command, COMMANDS } from '../../src/command-table.ts';
import { code, markdownTable, prose } from './markdown.ts';
import type { Parts } from './regions.ts';

type Loaded = Omit<Command, 'flags'> & { readonly flags: readonly Flag[] };

/** `commands` and `exit codes` are tables; `command run` says what the command does, `flags of run` is its table. */
export async function cliParts(): Promise<Parts> {
  const commands = await Promise.all(COMMANDS.map(async (command) => ({ ...command, flags: await command.flags() })));
  const ofRun = commands.find(({ name }) => name === 'run')?.flags ?? [];
  return new Map([
    ['commands', markdownTable(['Command', 'What it does'], commands.map(row))],
    ['exit codes', exitCodes()],
    ...commands.flatMap((command) => [
      [`command ${command.name}`, story(command)] as const,
      ...(command.flags.length === 0 ? [] : [[`flags of ${command.name}`, flagTable(command, ofRun)] as const]),
    ]),
  ]);
}

function row({ name, summary }: Loaded): readonly string[] {
  return [`[${code(name)}](#${name})`, prose(summary)];
}

function story({ name, notes = '', operand, summary }: Loaded): string {
  const usage = `machine-id ${name}${operand === undefined ? '' : ` ${operand}`}`;
  return [prose(summary), `Usage: ${code(usage)}`, prose(notes.replaceAll('\n', ' '))]
    .filter((text) => text !== '')
    .join('\n\n');
}

/** Lists flags that are the same as those of `run` by name, without explaining them again. */
function flagTable({ flags, name }: Loaded, ofRun: readonly Flag[]): string {
  const common = name === 'run' ? [] : flags.filter((flag) => ofRun.includes(flag));
  const shared = common.length < 3 ? [] : common;
  const own = flags.filter((flag) => !shared.includes(flag));
  if (own.length === 0) {
    return `All flags of [\`run\`](#run) except ${ofRun
      .filter((flag) => !flags.includes(flag))
      .map(longName)
      .join(', ')}.`;
  }
  const table = markdownTable(
    ['Flag', 'Meaning'],
    own.map((flag) => [usage(flag), prose(flag.help)]),
  );
  if (shared.length === 0) return table;
  return shared.length > ofRun.length / 2
    ? `All flags of [\`run\`](#run) except those with another meaning here, and:\n\n${table}`
    : `From [\`run\`](#run): ${shared.map(longName).join(', ')}; and:\n\n${table}`;
}

function longName({ name }: Flag): string {
  return code(`--${name}`);
}

function usage({ aliases = [], name, short, value }: Flag): string {
  const names = [...(short === undefined ? [] : [`-${short}`]), ...[name, ...aliases].map((one) => `--${one}`)];
  const [last = '', ...others] = names.toReversed();
  return [...others.toReversed(), value === undefined ? last : `${last} ${value}`].map(code).join(', ');
}

function exitCodes(): string {
  const wrong = ERROR_CODES.filter((one) => new MachineIdError(one, '', { hint: '' }).exitCode === 2).map(
    (one) => `[${code(one)}](../errors.md#${one.toLowerCase()})`,
  );
  return markdownTable(
    ['Exit code', 'Meaning'],
    [
      ['0', 'Success.'],
      ['1', 'Failed.'],
      ['2', `Invalid input: ${wrong.join(', ')}. Nothing was contacted, nothing was written.`],
    ],
  );
}
