/** Reads a bot (`kind: bot`). */
import type { SourceFile } from '../config/source-file.ts';
import { parseDuration } from '../config/duration.ts';
import { checkApiVersion, checkLabels } from './header.ts';
import type { Bot, ResourceForm } from './resource.ts';
import { BOT, BOT_OBJECT } from './schema.ts';

/** What is wrong with it goes into the file's findings. */
export function readBot(file: SourceFile, form: ResourceForm): Bot | undefined {
  const read = form === 'tctl' ? readTctlBot(file) : readBotObject(file);
  if (read === undefined) return undefined;
  const { faulty, metadata, spec } = read;
  const { findings } = file;
  if (metadata.name === undefined && !faulty.has('metadata')) {
    findings.refuse(file.origin('metadata', 'name'), 'must be non-empty');
  }
  for (const [at, role] of spec.roles.entries()) {
    if (role === '') findings.refuse(file.origin('spec', 'roles', at), 'must not contain empty strings');
  }
  const { max_session_ttl: longest } = spec;
  if (longest !== undefined && parseDuration(longest) === undefined) {
    findings.refuse(file.origin('spec', 'max_session_ttl'), `"${longest}" is no duration; write for example 43200s`);
  }
  if (spec.roles.length === 0 && !faulty.has('spec')) {
    findings.warn(`${file.origin('spec').label}: a bot without roles reaches nothing; name them in spec.roles`);
  }
  return { kind: 'bot', line: file.origin('kind').line, name: metadata.name ?? '', roles: spec.roles };
}

function readTctlBot(file: SourceFile) {
  const { value, faulty } = file.decode(BOT, 'refuse');
  if (value === undefined) return undefined;
  const { metadata, scope, spec, version } = value;
  const { findings } = file;
  if (version !== 'v1') findings.refuse(file.origin('version'), `is ${shown(version)}, expected v1`);
  checkLabels(file, metadata.labels);
  if (scope !== undefined) {
    findings.warn(`${file.origin('scope').label}: the bot is in the scope ${scope}; scoped bots are not supported`);
  }
  return { metadata, spec, faulty };
}

function readBotObject(file: SourceFile) {
  const { value, faulty } = file.decode(BOT_OBJECT, 'refuse');
  if (value === undefined) return undefined;
  checkApiVersion(file, value.apiVersion, 'v1');
  return { metadata: value.metadata, spec: value.spec, faulty };
}

function shown(value: string | undefined): string {
  return value === undefined ? 'missing' : `"${value}"`;
}
