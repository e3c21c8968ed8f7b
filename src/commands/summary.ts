/** The result of a run as a person reads it, and as a program does. */
import { utcTime } from '../crypto/validity.ts';
import { printable, printableJson } from '../errors.ts';
import type { Style } from '../effects/style.ts';
import { exportedVariables } from './exports.ts';
import type { RunResult, WrittenOutput } from '../produce/result.ts';
import { table } from './table.ts';

/** A headline, what the run has to do with the job, and a table of the outputs. */
export function summaryText(result: RunResult, style: Style): string {
  const lines = [...table(factRows(result)), '', ...outputLines(result.outputs, style)];
  return `\n${style.strong(printable(headline(result)))}\n${lines.map((line) => `  ${line}`.trimEnd()).join('\n')}\n`;
}

export function headline({ cluster, clusterVersion, proxy, timingsMs }: RunResult): string {
  return `Joined ${cluster} (Teleport ${clusterVersion}) through ${proxy} in ${timingsMs.total ?? 0} ms`;
}

function factRows(result: RunResult): string[][] {
  const { bot, exportedTo } = result;
  const names = [...exportedVariables(result).keys()].join(', ');
  return [
    ['bot', bot === undefined ? joinedBy(result) : `${bot}, ${joinedBy(result)}`],
    ...(exportedTo === undefined ? [] : [['exported', `${names} (${exportedTo})`]]),
  ];
}

function joinedBy({ engine, joinPath }: RunResult): string {
  if (engine === 'tbot') return 'by tbot, its files checked';
  return joinPath === 'join-service' ? 'by the join service' : 'by the registration endpoint';
}

function outputLines(outputs: readonly WrittenOutput[], style: Style): string[] {
  if (outputs.length === 0) return ['No outputs are configured, so nothing was written.'];
  const rows = outputs.map(outputRow);
  const [head = '', ...lines] = table([['output', 'for', 'until', 'written'], ...rows]);
  const notes = outputs.map(({ notices }) =>
    notices.map((notice) => `  ${style.doubtful('note:')} ${printable(notice)}`),
  );
  return [style.faint(head), ...lines.flatMap((line, at) => [line, ...(notes[at] ?? [])])];
}

function outputRow({ access, destination, expiresAtMs, files, roles, type }: WrittenOutput): string[] {
  const purpose = [
    ...(access === undefined ? [] : [accessText(access)]),
    ...(roles.length === 0 ? [] : [`roles ${roles.join(', ')}`]),
  ];
  const written = files.length === 0 ? destination : `${destination}: ${files.join(', ')}`;
  return [type, purpose.join('; '), utcTime(expiresAtMs), written];
}

function accessText(access: NonNullable<WrittenOutput['access']>): string {
  if (access.kind === 'aws') return `AWS role ${access.role}, profile ${access.profile}`;
  if (access.kind === 'application') return `application ${access.name} at https://${access.address}`;
  const { database, name, protocol, user } = access;
  return `database ${name} (${protocol})${user === undefined ? '' : ` as ${user}`}${database === undefined ? '' : `, ${database}`}`;
}

/** One line. */
export function resultJson(result: RunResult): string {
  return `${printableJson(resultObject(result))}\n`;
}

export function resultObject(result: RunResult): Readonly<Record<string, unknown>> {
  const { cluster, clusterVersion, bot, engine, joinPath, outputs, spans, timingsMs } = result;
  return {
    cluster,
    clusterVersion,
    bot,
    engine,
    joinMethod: 'circleci',
    joinPath,
    outputs: outputs.map(({ type, destination, files, roles, expiresAtMs, access, notices }) => ({
      type,
      destination,
      files,
      roles,
      expiresAt: utcTime(expiresAtMs),
      ...(access === undefined ? {} : { access }),
      ...(notices.length === 0 ? {} : { notices }),
    })),
    timingsMs,
    spans: spans.map(({ endMs, kind, name, startMs }) => ({ name, kind, startMs, endMs })),
  };
}
