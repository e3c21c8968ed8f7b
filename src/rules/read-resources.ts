/** Reads the file of a join token or a bot, and reports what Teleport would report when it is created. */
import { Findings } from '../config/findings.ts';
import { originIn, SourceFile } from '../config/source.ts';
import { closestMatch } from '../schema/values.ts';
import { readYamlDocuments } from '../schema/yaml/document.ts';
import { formatPath, isMapping, type Mapping, type Path, Scalar, type YamlValue } from '../schema/yaml/tree.ts';
import { readBot } from './bot.ts';
import { readJoinToken } from './join-token.ts';
import type { Resource, ResourceForm } from './resource.ts';
import type { HclBlock } from './hcl.ts';
import { kindOfBlock, terraformAdvice, terraformBlocks, terraformResources } from './terraform.ts';

export interface ReadResources {
  readonly resources: readonly Resource[];
  /** Messages for the user. */
  readonly warnings: readonly string[];
}

/**
 * @param text one YAML or JSON file with any number of documents, or a Terraform file
 * @param name the file's name for messages
 * @throws MachineIdError CONFIG_INVALID with every problem of every document
 */
export function readResources(text: string, name: string): ReadResources {
  const findings = new Findings();
  const resources = readTerraform(text, name, findings) ?? readDocuments(text, name, findings);
  if (findings.hasProblems) throw findings.toError();
  return { resources, warnings: findings.warnings };
}

/** Undefined if it is not a Terraform file. */
function readTerraform(text: string, name: string, findings: Findings): readonly Resource[] | undefined {
  const found = terraformResources(text);
  if (found.length === 0) {
    if (!/\.tf(?:\.json)?$/i.test(name)) return undefined;
    findings.addProblem(
      originIn(name, 'document', undefined),
      'is a Terraform file without teleport_provision_token; pass a join token file, or pipe the token from the cluster: tctl get token/NAME | machine-id explain-token -',
    );
    return [];
  }
  const blocks = terraformBlocks(text);
  if (blocks !== undefined && !('message' in blocks)) {
    return blocks.map((block) => readBlock(block, name, findings)).filter((one) => one !== undefined);
  }
  if (blocks !== undefined) findings.addProblem(originIn(name, 'document', blocks.line), blocks.message);
  for (const one of found) findings.addProblem(originIn(name, 'document', one.line), terraformAdvice(one));
  return [];
}

/** Values that decide about a join. Elsewhere, such as in names, an expression of Terraform does no harm. */
const DECISIVE = /^(?:spec|spec\.(?:roles|join_method|circleci|generic_oidc)\b.*|metadata|metadata\.expires)$/;

function readBlock(block: HclBlock, name: string, findings: Findings): Resource | undefined {
  const { body, lines, line, unknown } = block;
  const kind = kindOfBlock(block);
  const lineOf = (path: Path) => lineIn(lines, path) ?? line;
  const decisive = [...unknown].filter((path) => kind === 'token' && DECISIVE.test(path));
  for (const path of decisive) {
    findings.addProblem(
      originIn(name, path, lines.get(path) ?? line),
      terraformAdvice({ ...block, name: nameOfBlock(body) }),
    );
  }
  if (decisive.length > 0) return undefined;
  const root = kind === 'token' ? body : botRoot(body);
  const file = new SourceFile({ root, lineOf }, name, findings);
  return kind === 'token' ? readJoinToken(file, 'terraform') : readBot(file, 'terraform');
}

/** The line of the nearest value around the path; keys of a bot are not in sections. */
function lineIn(lines: ReadonlyMap<string, number>, path: Path): number | undefined {
  for (let length = path.length; length > 0; length--) {
    const line = lines.get(formatPath(path.slice(0, length))) ?? lines.get(formatPath(path.slice(1, length)));
    if (line !== undefined) return line;
  }
  return undefined;
}

function nameOfBlock(body: Mapping): string | undefined {
  const metadata = body.get('metadata');
  const name = isMapping(metadata) ? metadata.get('name') : body.get('name');
  return name instanceof Scalar && /^[\w.:/@-]{1,200}$/.test(name.text) ? name.text : undefined;
}

/** The provider's bot has the keys of metadata and spec at the top. */
function botRoot(body: Mapping): Mapping {
  const own = (key: string) => (body.has(key) ? [[key, body.get(key)] as const] : []);
  if (body.has('metadata')) return body;
  return new Map<string, YamlValue | undefined>([
    ['version', new Scalar('v1', { plain: false })],
    ['metadata', new Map(own('name'))],
    ['spec', new Map([...own('roles'), ...own('traits')])],
  ]);
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

/** A kind of resource, as tctl or the Kubernetes operator writes it. */
interface Kind {
  readonly resource: 'token' | 'bot' | 'scoped token';
  readonly form: ResourceForm;
  readonly spelling: string;
  /** Accepted spellings, in lower case. */
  readonly words: readonly string[];
}

const KINDS: readonly Kind[] = [
  { resource: 'token', form: 'tctl', spelling: 'token', words: ['token', 'tokens'] },
  { resource: 'bot', form: 'tctl', spelling: 'bot', words: ['bot', 'bots'] },
  { resource: 'scoped token', form: 'tctl', spelling: 'scoped_token', words: ['scoped_token', 'scoped_tokens'] },
  {
    resource: 'token',
    form: 'operator',
    spelling: 'TeleportProvisionToken',
    words: ['teleportprovisiontoken', 'teleportprovisiontokens'],
  },
  { resource: 'bot', form: 'operator', spelling: 'TeleportBotV1', words: ['teleportbotv1', 'teleportbotsv1'] },
];

/** Wrong names that Teleport's programs, Terraform and documents suggest. */
const MISNAMED_TOKEN = ['provision_token', 'join_token', 'teleport_provision_token', 'token_v2', 'bot_token'];

/** A wrong spelling is a problem, but is read as the intended kind, so that the rest is checked too. */
function kindOf(file: SourceFile): Kind | 'other' {
  const word = wordOf(file);
  const exact = KINDS.find(({ words }) => words.includes(word.toLowerCase()));
  if (exact !== undefined) {
    // tctl ignores case, the Kubernetes API does not.
    if (exact.form === 'operator' && word !== exact.spelling) rejectKind(file, word, exact);
    return exact;
  }
  const meant = intendedKind(file, word);
  if (meant === undefined) return 'other';
  rejectKind(file, word, meant);
  return meant;
}

function wordOf(file: SourceFile): string {
  const kind = file.root.get('kind');
  return kind instanceof Scalar ? kind.text : '';
}

function rejectKind(file: SourceFile, word: string, { spelling }: Kind): void {
  file.findings.addProblem(
    file.origin('kind'),
    word === '' ? `is missing; write "kind: ${spelling}"` : `is "${word}"; write "kind: ${spelling}"`,
  );
}

function intendedKind(file: SourceFile, word: string): Kind | undefined {
  const form = file.root.has('apiVersion') ? 'operator' : 'tctl';
  const byForm = (resource: Kind['resource']) => KINDS.find((kind) => kind.resource === resource && kind.form === form);
  const near = closestMatch(word, [...KINDS.map(({ spelling }) => spelling), ...MISNAMED_TOKEN]);
  if (word !== '' && near !== undefined) {
    return MISNAMED_TOKEN.includes(near) ? byForm('token') : KINDS.find(({ spelling }) => spelling === near);
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

/** Setup files often contain roles and other resources too; a file with nothing else is the wrong file. */
function warnAboutOthers(others: readonly SourceFile[], hasKnownKinds: boolean): void {
  for (const file of others) {
    const word = wordOf(file);
    const { label } = file.origin('kind');
    if (hasKnownKinds && word !== '') {
      file.findings.warn(`${label}: the resource of kind "${word}" is not checked; only tokens and bots are checked`);
    } else {
      const message = word === '' ? 'is missing; write "kind: token"' : `is "${word}"; expected "token" or "bot"`;
      file.findings.addProblem(file.origin('kind'), message);
    }
  }
}
