/** Reads the file of a join token or a bot, and says of it what Teleport would say when it is created. */
import { Findings } from '../../config/findings.ts';
import { originIn, SourceFile } from '../../config/source.ts';
import { closestMatch, parseDuration } from '../../schema/values.ts';
import { readYamlDocuments } from '../../schema/yaml/document.ts';
import { isMapping, Scalar } from '../../schema/yaml/tree.ts';
import { readJoinToken } from './join-token.ts';
import {
  type Bot,
  BOT,
  BOT_OBJECT,
  checkApiVersion,
  checkLabels,
  type Resource,
  type ResourceForm,
} from './resource.ts';
import { terraformAdvice, terraformResources } from './terraform.ts';

export interface ReadResources {
  readonly resources: readonly Resource[];
  /** Sentences for a person to read. */
  readonly warnings: readonly string[];
}

/**
 * @param text of one YAML or JSON file, with any number of documents
 * @param name of the file, for messages
 * @throws MachineIdError CONFIG_INVALID with every problem of every document
 */
export function readResources(text: string, name: string): ReadResources {
  const findings = new Findings();
  const resources = refuseTerraform(text, name, findings) ? [] : readDocuments(text, name, findings);
  if (findings.hasProblems) throw findings.toError();
  return { resources, warnings: findings.warnings };
}

/** @returns whether it is a file of Terraform */
function refuseTerraform(text: string, name: string, findings: Findings): boolean {
  const found = terraformResources(text);
  for (const one of found) findings.addProblem(originIn(name, 'document', one.line), terraformAdvice(one));
  const isNamedSo = found.length === 0 && /\.tf(?:\.json)?$/i.test(name);
  if (isNamedSo) {
    findings.addProblem(
      originIn(name, 'document', undefined),
      'is a file of Terraform without teleport_provision_token; name the file of a join token, or pipe what the cluster has: tctl get token/NAME | machine-id explain-token -',
    );
  }
  return found.length > 0 || isNamedSo;
}

function readDocuments(text: string, name: string, findings: Findings): readonly Resource[] {
  const resources: (Resource | undefined)[] = [];
  const others: SourceFile[] = [];
  const documents = readYamlDocuments(text);
  for (const document of documents) {
    if ('problems' in document) {
      for (const { path, line, message } of document.problems) findings.addProblem(originIn(name, path, line), message);
      continue;
    }
    const file = new SourceFile(document, name, findings);
    const kind = kindOf(file);
    if (kind === 'other') others.push(file);
    else resources.push(readAs(kind, file));
  }
  warnAboutOthers(others, resources.length > 0);
  if (documents.length === 0) findings.addProblem(originIn(name, 'document', undefined), 'the file is empty');
  return resources.filter((one) => one !== undefined);
}

/** What tctl and the operator call a kind, and how to write it. */
interface Kind {
  readonly resource: 'token' | 'bot' | 'scoped token';
  readonly form: ResourceForm;
  readonly write: string;
  /** In lower case. */
  readonly words: readonly string[];
}

const KINDS: readonly Kind[] = [
  { resource: 'token', form: 'tctl', write: 'token', words: ['token', 'tokens'] },
  { resource: 'bot', form: 'tctl', write: 'bot', words: ['bot', 'bots'] },
  { resource: 'scoped token', form: 'tctl', write: 'scoped_token', words: ['scoped_token', 'scoped_tokens'] },
  {
    resource: 'token',
    form: 'operator',
    write: 'TeleportProvisionToken',
    words: ['teleportprovisiontoken', 'teleportprovisiontokens'],
  },
  { resource: 'bot', form: 'operator', write: 'TeleportBotV1', words: ['teleportbotv1', 'teleportbotsv1'] },
];

/** Names from elsewhere: Teleport's programs, Terraform, documents. */
const MISNAMED_TOKEN = ['provision_token', 'join_token', 'teleport_provision_token', 'token_v2', 'bot_token'];

/** Every other way to write a kind is noted, and read as what it is meant to be, so that the rest is checked too. */
function kindOf(file: SourceFile): Kind | 'other' {
  const word = wordOf(file);
  const exact = KINDS.find(({ words }) => words.includes(word.toLowerCase()));
  if (exact !== undefined) {
    // tctl takes any letters, the API of Kubernetes those of the kind alone.
    if (exact.form === 'operator' && word !== exact.write) refuseKind(file, word, exact);
    return exact;
  }
  const meant = intendedKind(file, word);
  if (meant === undefined) return 'other';
  refuseKind(file, word, meant);
  return meant;
}

function wordOf(file: SourceFile): string {
  const kind = file.root.get('kind');
  return kind instanceof Scalar ? kind.text : '';
}

function refuseKind(file: SourceFile, word: string, { write }: Kind): void {
  file.findings.addProblem(
    file.origin('kind'),
    word === '' ? `is missing; write "kind: ${write}"` : `is "${word}"; write "kind: ${write}"`,
  );
}

function intendedKind(file: SourceFile, word: string): Kind | undefined {
  const form = file.root.has('apiVersion') ? 'operator' : 'tctl';
  const byForm = (resource: Kind['resource']) => KINDS.find((kind) => kind.resource === resource && kind.form === form);
  const near = closestMatch(word, [...KINDS.map(({ write }) => write), ...MISNAMED_TOKEN]);
  if (word !== '' && near !== undefined) {
    return MISNAMED_TOKEN.includes(near) ? byForm('token') : KINDS.find(({ write }) => write === near);
  }
  const spec = file.root.get('spec');
  if (isMapping(spec) && spec.has('join_method')) return byForm('token');
  if (word !== '' || !(file.root.has('spec') || file.root.has('metadata'))) return undefined;
  return byForm(isMapping(spec) && (spec.has('traits') || spec.has('max_session_ttl')) ? 'bot' : 'token');
}

function readAs(kind: Kind, file: SourceFile): Resource | undefined {
  switch (kind.resource) {
    case 'token':
      return readJoinToken(file, kind.form);
    case 'bot':
      return readBot(file, kind.form);
    case 'scoped token':
      file.findings.addProblem(
        file.origin('kind'),
        `is "${wordOf(file)}"; scoped join tokens are not supported, expected token`,
      );
      return undefined;
    default:
      return kind.resource satisfies never;
  }
}

/** Roles and other resources often are in the file of a set-up; a file of nothing else is the wrong one. */
function warnAboutOthers(others: readonly SourceFile[], besideKnown: boolean): void {
  for (const file of others) {
    const word = wordOf(file);
    const { label } = file.origin('kind');
    if (besideKnown && word !== '') {
      file.findings.warn(`${label}: the resource of kind "${word}" is not checked; only tokens and bots are`);
    } else {
      const message = word === '' ? 'is missing; write "kind: token"' : `is "${word}"; expected token, or bot`;
      file.findings.addProblem(file.origin('kind'), message);
    }
  }
}

// Reads a bot (`kind: bot`).

/** What is wrong with it goes into the file's findings. */
function readBot(file: SourceFile, form: ResourceForm): Bot | undefined {
  const read = form === 'tctl' ? readTctlBot(file) : readBotObject(file);
  if (read === undefined) return undefined;
  const { invalidKeys, metadata, spec } = read;
  const { findings } = file;
  if (metadata.name === undefined && !invalidKeys.has('metadata')) {
    findings.addProblem(file.origin('metadata', 'name'), 'must be non-empty');
  }
  for (const [at, role] of spec.roles.entries()) {
    if (role === '') findings.addProblem(file.origin('spec', 'roles', at), 'must not contain empty strings');
  }
  const { max_session_ttl: longest } = spec;
  if (longest !== undefined && parseDuration(longest) === undefined) {
    findings.addProblem(
      file.origin('spec', 'max_session_ttl'),
      `"${longest}" is no duration; write for example 43200s`,
    );
  }
  if (spec.roles.length === 0 && !invalidKeys.has('spec')) {
    findings.warn(`${file.origin('spec').label}: a bot without roles reaches nothing; name them in spec.roles`);
  }
  return { kind: 'bot', line: file.origin('kind').line, name: metadata.name ?? '', roles: spec.roles };
}

function readTctlBot(file: SourceFile) {
  const { value, invalidKeys } = file.decode(BOT, 'refuse');
  if (value === undefined) return undefined;
  const { metadata, scope, spec, version } = value;
  const { findings } = file;
  if (version !== 'v1') findings.addProblem(file.origin('version'), `is ${shown(version)}, expected v1`);
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

function shown(value: string | undefined): string {
  return value === undefined ? 'missing' : `"${value}"`;
}
