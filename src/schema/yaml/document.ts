/** Reads the text of a configuration file as gopkg.in/yaml.v3 does, which tbot uses. */
import {
  Composer,
  type CST,
  type Document,
  isMap,
  isNode,
  isScalar,
  isSeq,
  Lexer,
  LineCounter,
  type Node,
  Parser,
} from 'yaml';
import type { Problem } from '../../errors.ts';
import { convert, MAX_DEPTH } from './convert.ts';
import { describe, formatPath, isList, isMapping, type Mapping, type Path } from './tree.ts';

export interface YamlDocument {
  readonly root: Mapping;
  /** The line of the key or item at `path`, or of the nearest value around it. */
  readonly lineOf: (path: Path) => number | undefined;
}

export interface YamlFailure {
  readonly problems: readonly Problem[];
}

/** Far above any real file, and low enough to keep parsing short. */
const MAX_CHARS = 262_144;

const MAX_SYNTAX_ERRORS = 100;

/** Begins every message about YAML syntax. */
export const SYNTAX_ERROR = 'failed parsing config file';

export interface FirstDocument extends YamlDocument {
  /** The first lines of other documents that are not empty. */
  readonly laterLines: readonly number[];
}

/** The first document of `text`, or its problems. Like tbot, ignores later documents. */
export function readYaml(text: string): FirstDocument | YamlFailure {
  const read = parse(text);
  if ('problems' in read) return read;
  const { lineAt, tokens } = read;
  const [document, ...later] = compose(tokens, text.length);
  if (document === undefined) return failure(`${SYNTAX_ERROR}: EOF: the file is empty`, 1);
  const laterLines = later.filter((one) => !isEmpty(one)).map(({ range: [offset] }) => lineAt(offset));
  const [line] = laterLines;
  if (line !== undefined && isEmpty(document)) {
    const message = `the first YAML document is empty, and only the first is read: remove the "---" above line ${line}`;
    return failure(message, lineAt(document.range[0]));
  }
  // `convert` reports duplicate keys, as it knows both lines.
  const tree = toTree(document, lineAt);
  return 'problems' in tree ? tree : { ...tree, laterLines };
}

function isEmpty({ contents, errors }: Document.Parsed): boolean {
  return (
    errors.length === 0 &&
    (contents === null || (isScalar(contents) && /^(?:|~|null|Null|NULL)$/.test(String(contents.value))))
  );
}

/** Far above any real file; aliases multiply the size of a document. */
const MAX_RESOURCES = 100;

/**
 * Every document of `text` that is not empty. The items of a list count as documents: `tctl get --format=json` and
 * kubectl print several objects as a list.
 */
export function readYamlDocuments(text: string): readonly (YamlDocument | YamlFailure)[] {
  const read = parse(text);
  if ('problems' in read) return [read];
  const { lineAt, tokens } = read;
  const documents: (YamlDocument | YamlFailure)[] = [];
  for (const document of compose(tokens, text.length)) {
    if (document.errors.length > 0) documents.push(syntaxProblems(document, lineAt));
    else documents.push(...resourcesOf(document.contents).map((node) => resourceToTree(node, lineAt)));
    if (documents.length > MAX_RESOURCES) return [failure(`the file has more than ${MAX_RESOURCES} resources`)];
  }
  return documents;
}

function resourcesOf(contents: Node | null): readonly Node[] {
  if (contents === null || (isScalar(contents) && contents.value === '')) return [];
  if (isMap(contents) && String(contents.get('kind')).endsWith('List')) {
    const items = contents.get('items', true);
    if (isNode(items) && isSeq(items)) return resourcesOf(items);
  }
  return isSeq(contents) ? contents.items.slice(0, MAX_RESOURCES + 1).filter((item) => isNode(item)) : [contents];
}

/** Does not quote a file that is just one text: it may be a secret. */
function resourceToTree(node: Node, lineAt: LineAt): YamlDocument | YamlFailure {
  if (!isScalar(node)) return nodeToTree(node, lineAt, 'a resource');
  return failure('the file must be a resource, as "tctl get" prints it, but this is plain text');
}

type LineAt = (offset: number) => number;

function parse(text: string): YamlFailure | { readonly tokens: readonly CST.Token[]; readonly lineAt: LineAt } {
  if (text.length > MAX_CHARS) {
    return failure(`the file has ${text.length} characters, more than ${MAX_CHARS}`);
  }
  const lineCounter = new LineCounter();
  const tokens = readTokens(text, lineCounter);
  if (tokens === undefined) return failure(`the file has more than ${MAX_DEPTH} levels`);
  return { tokens, lineAt: (offset) => lineCounter.linePos(offset).line };
}

/** `undefined` if collections are nested so deeply that composing them would exhaust the stack. */
function readTokens(text: string, lineCounter: LineCounter): CST.Token[] | undefined {
  const parser = new Parser(lineCounter.addNewLine);
  const tokens: CST.Token[] = [];
  lineCounter.addNewLine(0);
  for (const lexeme of new Lexer().lex(text)) {
    tokens.push(...parser.next(lexeme));
    if (parser.stack.length > 2 * MAX_DEPTH) return undefined;
  }
  tokens.push(...parser.end());
  return tokens;
}

/** Every scalar stays text (`failsafe`): like yaml.v3, the type of the setting decides, not the form of the value. */
function compose(tokens: readonly CST.Token[], length: number): Generator<Document.Parsed> {
  const composer = new Composer({ schema: 'failsafe', uniqueKeys: false, logLevel: 'silent', prettyErrors: false });
  return composer.compose(tokens, false, length);
}

function syntaxProblems(document: Document, lineAt: (offset: number) => number): YamlFailure {
  // The first problem usually causes those after it.
  const problems = document.errors.slice(0, MAX_SYNTAX_ERRORS).map(({ message, pos: [offset] }) => ({
    path: 'document',
    line: lineAt(offset),
    message: `${SYNTAX_ERROR}: ${message.replaceAll('\n', ' ')}`,
  }));
  return { problems };
}

function toTree(document: Document, lineAt: LineAt): YamlDocument | YamlFailure {
  if (document.errors.length > 0) return syntaxProblems(document, lineAt);
  return document.contents === null
    ? { root: new Map(), lineOf: () => undefined }
    : nodeToTree(document.contents, lineAt);
}

function nodeToTree(node: Node, lineAt: LineAt, target = 'config.BotConfig'): YamlDocument | YamlFailure {
  const { value, lines, problems } = convert(node, lineAt);
  if (problems.length > 0) return { problems };
  if (value !== undefined && !isMapping(value)) {
    // A file that is just one text is not quoted: it may be a secret.
    const what = isList(value) ? describe(value) : 'a text';
    return failure(`cannot unmarshal ${what} into ${target}: the file must be a mapping of settings`);
  }
  return { root: value ?? new Map(), lineOf: (path) => lineAround(lines, path) };
}

function lineAround(lines: ReadonlyMap<string, number>, path: Path): number | undefined {
  for (let length = path.length; length > 0; length--) {
    const line = lines.get(formatPath(path.slice(0, length)));
    if (line !== undefined) return line;
  }
  return undefined;
}

function failure(message: string, line?: number): YamlFailure {
  return { problems: [{ path: 'document', ...(line === undefined ? {} : { line }), message }] };
}
