/** The state of tunnels as text. */
import { table } from '../../cli/print.ts';
import { utcTime } from '../../crypto/validity.ts';
import type { TunnelReport, TunnelsReport } from '../../tunnels/status.ts';
import { pluralize } from '../../errors.ts';

/** What the step prints that has started them. */
export function readyText({ tunnels }: TunnelsReport, exported: readonly string[]): string {
  const rows = tunnels.map(({ address, expiresAtMs, name, target }) => [name, address, target, untilText(expiresAtMs)]);
  const lines = table([['tunnel', 'address', 'to', 'until'], ...rows]);
  const variables = exported.length === 0 ? [] : ['', `exported  ${exported.join(', ')}`];
  return `\n${pluralize(tunnels.length, 'tunnel')} ready\n${indented([...lines, ...variables])}\n`;
}

/** For `tunnel status`: one line for each tunnel, and what is wrong below it. */
export function statusRows(tunnels: readonly TunnelReport[]): readonly string[] {
  const rows = tunnels.map(({ address, connections, name, sinceMs, state, target }) => [
    name,
    state,
    utcTime(sinceMs),
    address,
    target,
    `${connections.open} open, ${connections.total} in total, ${connections.refused} refused, ${connections.broken} broken`,
  ]);
  return table([['tunnel', 'state', 'since', 'address', 'to', 'connections'], ...rows]);
}

/** Each as a sentence. */
export function problemLines(tunnels: readonly TunnelReport[]): readonly string[] {
  return tunnels.flatMap(({ expiresAtMs, lastError, name, problem, renewalProblem }) => [
    ...(problem === undefined ? [] : [`${name}: ${problem}`]),
    ...(renewalProblem === undefined || expiresAtMs === undefined || problem?.includes(renewalProblem) === true
      ? []
      : [
          `${name}: new connections work until ${utcTime(expiresAtMs)} only, because its certificate cannot be renewed: ${renewalProblem}`,
        ]),
    ...(lastError === undefined
      ? []
      : [`${name}: the last error was at ${utcTime(lastError.atMs)}: ${lastError.message}`]),
  ]);
}

function untilText(expiresAtMs: number | undefined): string {
  return expiresAtMs === undefined ? '' : `${utcTime(expiresAtMs)}, then renewed`;
}

export function indented(lines: readonly string[]): string {
  return lines.map((line) => `  ${line}`.trimEnd()).join('\n');
}
