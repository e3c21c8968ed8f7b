/** The result of a run as a person reads it, and as a program does. */
import { utcTime } from '../crypto/validity.ts';
import { printable } from '../errors.ts';
import { exportedVariables } from './exports.ts';
import type { RunResult, WrittenOutput } from '../produce/result.ts';

export function summaryText(result: RunResult): string {
  const lines = [
    '',
    `Joined ${result.cluster} (Teleport ${result.clusterVersion}) through ${result.proxy}`,
    ...joinLines(result),
    ...result.outputs.flatMap(outputLines),
    ...(result.outputs.length === 0 ? ['  outputs  none are configured, so nothing was written'] : []),
    ...(result.exportedTo === undefined
      ? []
      : [`  exported ${[...exportedVariables(result).keys()].join(', ')} (${result.exportedTo})`]),
    `  done in  ${result.timingsMs.total ?? 0} ms`,
  ];
  return `${lines.map(printable).join('\n')}\n`;
}

function joinLines({ bot, engine, joinPath }: RunResult): string[] {
  if (engine === 'tbot')
    return [...(bot === undefined ? [] : [`  bot      ${bot}`]), '  engine   tbot, its files checked'];
  return [
    `  bot      ${bot ?? ''}, by ${joinPath === 'join-service' ? 'the join service' : 'the registration endpoint'}`,
  ];
}

function outputLines({ type, destination, files, roles, expiresAtMs, access, notices }: WrittenOutput): string[] {
  return [
    `  ${type.padEnd(8)} ${destination}`,
    `           files    ${files.length === 0 ? 'none' : files.join(', ')}`,
    ...(roles.length === 0 ? [] : [`           roles    ${roles.join(', ')}`]),
    ...(access === undefined ? [] : [`           access   ${accessText(access)}`]),
    `           expires  ${utcTime(expiresAtMs)}`,
    ...notices.map((notice) => `           note     ${notice}`),
  ];
}

function accessText(access: NonNullable<WrittenOutput['access']>): string {
  if (access.kind === 'aws') return `AWS role ${access.role}, profile ${access.profile}`;
  if (access.kind === 'application') return `application ${access.name} at https://${access.address}`;
  const { database, name, protocol, user } = access;
  return `database ${name} (${protocol})${user === undefined ? '' : ` as ${user}`}${database === undefined ? '' : `, ${database}`}`;
}

/** One line of JSON. */
export function resultJson(result: RunResult): string {
  const { cluster, clusterVersion, bot, engine, joinPath, outputs, timingsMs } = result;
  return `${JSON.stringify({
    cluster,
    clusterVersion,
    bot,
    engine,
    joinMethod: 'circleci',
    joinPath,
    outputs: outputs.map(({ type, destination, files, roles, expiresAtMs, access }) => ({
      type,
      destination,
      files,
      roles,
      expiresAt: utcTime(expiresAtMs),
      ...(access === undefined ? {} : { access }),
    })),
    timingsMs,
  })}\n`;
}
