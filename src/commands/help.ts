/** The texts of `--help`. */
import type { Flag } from './command-line.ts';

export function programHelp(commands: readonly { readonly name: string; readonly summary: string }[]): string {
  const lines = commands.map(({ name, summary }) => `  ${name.padEnd(18)} ${summary}`);
  return `Joins a Teleport cluster with the OIDC token of a CircleCI job and writes short-lived credentials.

Usage: machine-id <command> [flags]

Commands:
${lines.join('\n')}

"machine-id <command> --help" lists the flags of a command.
Exit codes: 0 done, 1 failed, 2 wrong input (nothing contacted, nothing written).
`;
}

/** @param operand what stands behind the name without a flag, or '' */
export function commandHelp(
  name: string,
  summary: string,
  flags: readonly Flag[],
  notes: string,
  operand = '',
): string {
  const width = Math.max(...flags.map((flag) => usage(flag).length));
  const lines = flags.map((flag) => `  ${usage(flag).padEnd(width)}  ${flag.help}`);
  const list = lines.length === 0 ? '' : `\nFlags:\n${lines.join('\n')}\n`;
  return `${summary}\n\nUsage: machine-id ${name}${operand === '' ? '' : ` ${operand}`}${flags.length === 0 ? '' : ' [flags]'}\n${list}${notes === '' ? '' : `\n${notes}\n`}`;
}

function usage({ name, short, aliases, value }: Flag): string {
  const names = [...(short === undefined ? [] : [`-${short}`]), ...[name, ...(aliases ?? [])].map((one) => `--${one}`)];
  return `${names.join(', ')}${value === undefined ? '' : ` ${value}`}`;
}
