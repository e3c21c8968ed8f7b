/** The result of a run, as text and as JSON. */
import { table } from '../cli/print.ts';
import { utcTime } from '../crypto/validity.ts';
import type { Style } from '../effects/terminal.ts';
import { pluralize, printable, printableJson } from '../errors.ts';
import type { JoinPath } from '../join/join.ts';
import { auditQuery, instanceCommand } from '../outputs/bot-instance.ts';
import type { FailedOutput, RunResult, WrittenOutput } from '../outputs/result.ts';

export interface SummaryOptions {
  readonly style: Style;
  /** Whether to list the names of files. */
  readonly debug: boolean;
}

/** A headline, facts about the run, and a table of the outputs. */
export function summaryText(result: RunResult, options: SummaryOptions): string {
  const lines = [...table(factRows(result)), '', ...outputLines(result, options)];
  return `\n${options.style.bold(printable(headline(result)))}\n${lines.map((line) => `  ${line}`.trimEnd()).join('\n')}\n`;
}

export function headline({
  auth,
  cluster,
  clusterVersion,
  failures,
  outputs,
  proxy = '',
  timingsMs,
}: RunResult): string {
  const all = outputs.length + failures.length;
  const written = failures.length === 0 ? pluralize(all, 'output') : `${outputs.length} of ${pluralize(all, 'output')}`;
  const where = auth === undefined ? `through ${proxy}` : `at ${auth}`;
  return `Wrote ${written} for ${cluster} (Teleport ${clusterVersion}) ${where} in ${timingsMs.total ?? 0} ms`;
}

function factRows({ bot, botInstanceId, engine, exported }: RunResult): string[][] {
  return [
    ...(bot === undefined ? [] : [['bot', bot]]),
    ...(bot === undefined || botInstanceId === undefined
      ? []
      : [
          ['instance', `${botInstanceId}: ${instanceCommand(bot, botInstanceId)}`],
          ['audit query', auditQuery(botInstanceId)],
        ]),
    ...(engine === 'native' ? [] : [['engine', 'tbot; its files were checked']]),
    ...(exported.length === 0 ? [] : [['exported', exported.join(', ')]]),
  ];
}

export function joinPathText(path: JoinPath): string {
  return path === 'join-service' ? 'the join service' : 'the registration endpoint';
}

function outputLines({ failures, outputs }: RunResult, { debug, style }: SummaryOptions): string[] {
  if (outputs.length === 0) {
    return [failures.length > 0 ? 'Nothing was written.' : 'No outputs are configured, so nothing was written.'];
  }
  const rows = outputs.map(outputRow);
  const [head = '', ...lines] = table([['output', 'type', 'for', 'until', 'written'], ...rows]);
  const details = outputs.map(({ files, notices }) => [
    ...(debug && files.length > 0 ? [style.dim(`  files: ${printable(files.join(', '))}`)] : []),
    ...notices.map((notice) => `  ${style.warning('note:')} ${printable(notice)}`),
  ]);
  return [style.dim(head), ...lines.flatMap((line, at) => [line, ...(details[at] ?? [])])];
}

function outputRow({ access, destination, expiresAtMs, files, logins, path, roles, type }: WrittenOutput): string[] {
  const purpose = [
    ...(access === undefined ? [] : [accessText(access)]),
    ...(roles.length === 0 ? [] : [`roles ${roles.join(', ')}`]),
    ...(logins === undefined ? [] : [`logins ${logins.join(', ') || '(none)'}`]),
  ];
  const written = files.length === 0 ? destination : `${destination} (${pluralize(files.length, 'file')})`;
  return [path, type, purpose.join('; '), utcTime(expiresAtMs), written];
}

function accessText(access: NonNullable<WrittenOutput['access']>): string {
  if (access.kind === 'aws') return `AWS role ${access.role}, profile ${access.profile}`;
  if (access.kind === 'application') return `application ${access.name} at https://${access.address}`;
  const { database, name, protocol, user } = access;
  return `database ${name} (${protocol})${user === undefined ? '' : ` as ${user}`}${database === undefined ? '' : `, ${database}`}`;
}

/** One line of JSON. */
export function resultJson(result: RunResult): string {
  return `${printableJson(resultObject(result))}\n`;
}

export function resultObject(result: RunResult): Readonly<Record<string, unknown>> {
  const {
    cluster,
    clusterVersion,
    bot,
    botInstanceId,
    engine,
    failures,
    joinMethod,
    joinPath,
    outputs,
    spans,
    timingsMs,
  } = result;
  return {
    cluster,
    clusterVersion,
    bot,
    ...(botInstanceId === undefined ? {} : { botInstanceId, auditQuery: auditQuery(botInstanceId) }),
    engine,
    joinMethod,
    joinPath,
    outputs: outputs.map(({ path, type, destination, files, roles, logins, expiresAtMs, access, notices }) => ({
      path,
      type,
      destination,
      files,
      roles,
      ...(logins === undefined ? {} : { logins }),
      expiresAt: utcTime(expiresAtMs),
      ...(access === undefined ? {} : { access }),
      ...(notices.length === 0 ? {} : { notices }),
    })),
    ...(failures.length === 0 ? {} : { failures: failures.map(failureObject) }),
    timingsMs,
    spans: spans.map(({ endMs, kind, name, startMs }) => ({ name, kind, startMs, endMs })),
  };
}

function failureObject({ error: { code, problems, hint, likelyCauses, message }, line, path, type }: FailedOutput) {
  return {
    path,
    ...(line === undefined ? {} : { line }),
    type,
    code,
    message,
    hint,
    ...(problems.length === 0 ? {} : { problems }),
    ...(likelyCauses.length === 0 ? {} : { likelyCauses }),
  };
}
