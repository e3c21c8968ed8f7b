/** Reads a bot (`kind: bot`). */
import type { SourceFile } from '../config/source.ts';
import { parseDuration } from '../schema/values.ts';
import { type Bot, BOT, BOT_OBJECT, checkApiVersion, checkLabels, type ResourceForm } from './resource.ts';

/** Adds problems to the findings of the file. */
export function readBot(file: SourceFile, form: ResourceForm): Bot | undefined {
  const read = form === 'operator' ? readBotObject(file) : readTctlBot(file);
  if (read === undefined) return undefined;
  const { invalidKeys, metadata, spec } = read;
  const { findings } = file;
  if (metadata.name === undefined && !invalidKeys.has('metadata')) {
    findings.addProblem(file.origin('metadata', 'name'), 'must be non-empty');
  }
  for (const [at, role] of spec.roles.entries()) {
    if (role === '') findings.addProblem(file.origin('spec', 'roles', at), 'must not contain empty strings');
  }
  const { max_session_ttl: maxTtl } = spec;
  if (maxTtl !== undefined && parseDuration(maxTtl) === undefined) {
    findings.addProblem(file.origin('spec', 'max_session_ttl'), `"${maxTtl}" is not a duration such as 43200s`);
  }
  if (spec.roles.length === 0 && !invalidKeys.has('spec')) {
    findings.warn(`${file.origin('spec').label}: a bot without roles has no access; list its roles in spec.roles`);
  }
  return {
    kind: 'bot',
    at: (...path) => file.origin(...path),
    line: file.origin('kind').line,
    name: metadata.name ?? '',
    roles: spec.roles,
  };
}

function readTctlBot(file: SourceFile) {
  const { value, invalidKeys } = file.decode(BOT, 'refuse');
  if (value === undefined) return undefined;
  const { metadata, scope, spec, version } = value;
  const { findings } = file;
  if (version !== 'v1') findings.addProblem(file.origin('version'), `is ${quoted(version)}, expected v1`);
  checkLabels(file, metadata.labels);
  if (scope !== undefined) {
    findings.warn(`${file.origin('scope').label}: the bot is in the scope ${scope}; scoped bots are not supported`);
  }
  return { metadata, spec, invalidKeys };
}

function readBotObject(file: SourceFile) {
  const { value, invalidKeys } = file.decode(BOT_OBJECT, 'refuse');
  if (value === undefined) return undefined;
  checkApiVersion(file, value.apiVersion, 'v1');
  return { metadata: value.metadata, spec: value.spec, invalidKeys };
}

function quoted(value: string | undefined): string {
  return value === undefined ? 'missing' : `"${value}"`;
}
