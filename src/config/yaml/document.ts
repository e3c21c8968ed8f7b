/** Reads the text of a configuration file as gopkg.in/yaml.v3 does, which tbot reads it with. */
import type { CST, Document } from 'yaml';
import { Composer, Lexer, LineCounter, Parser } from 'yaml';
import type { Fault } from '../../errors.ts';
import { DEEPEST, convert } from './convert.ts';
import type { Mapping, Path } from './tree.ts';
import { describe, formatPath, isMapping } from './tree.ts';

export interface YamlDocument {
  readonly root: Mapping;
  /** The line of the key or item at `path`, or of what stands nearest around it. */
  readonly lineOf: (path: Path) => number | undefined;
}

export interface YamlFailure {
  readonly faults: readonly Fault[];
}

/** Far above any real file, and low enough to keep parsing short. */
const LONGEST_CHARS = 262_144;

const MOST_SYNTAX_FAULTS = 100;

/** The first document of `text`, or what is wrong with it. */
export function readYaml(text: string): YamlDocument | YamlFailure {
  if (text.length > LONGEST_CHARS) {
    return failure(`the file has ${text.length} characters, more than ${LONGEST_CHARS}`);
  }
  const lineCounter = new LineCounter();
  const tokens = readTokens(text, lineCounter);
  if (tokens === undefined) return failure(`the file has more than ${DEEPEST} levels`);
  const document = compose(tokens, text.length);
  if (document === undefined) return failure('failed parsing config file: EOF: the file is empty');
  const lineAt = (offset: number): number => lineCounter.linePos(offset).line;
  return document.errors.length > 0 ? syntaxFaults(document, lineAt) : toTree(document, lineAt);
}

/** `undefined` when collections nest so deeply that composing them would exhaust the stack. */
function readTokens(text: string, lineCounter: LineCounter): CST.Token[] | undefined {
  const parser = new Parser(lineCounter.addNewLine);
  const tokens: CST.Token[] = [];
  lineCounter.addNewLine(0);
  for (const lexeme of new Lexer().lex(text)) {
    tokens.push(...parser.next(lexeme));
    if (parser.stack.length > 2 * DEEPEST) return undefined;
  }
  tokens.push(...parser.end());
  return tokens;
}

/** Every scalar stays text (`failsafe`): yaml.v3 decides by the type of the setting, not by the look of the value. */
function compose(tokens: readonly CST.Token[], length: number): Document | undefined {
  // Duplicate keys are told by `convert`, which knows both lines. Later documents are not read, as upstream.
  const composer = new Composer({ schema: 'failsafe', uniqueKeys: false, logLevel: 'silent', prettyErrors: false });
  for (const document of composer.compose(tokens, false, length)) return document;
  return undefined;
}

function syntaxFaults(document: Document, lineAt: (offset: number) => number): YamlFailure {
  // The first fault makes most of those after it.
  const faults = document.errors.slice(0, MOST_SYNTAX_FAULTS).map(({ message, pos: [offset] }) => ({
    path: 'document',
    line: lineAt(offset),
    message: `failed parsing config file: ${message.replaceAll('\n', ' ')}`,
  }));
  return { faults };
}

function toTree(document: Document, lineAt: (offset: number) => number): YamlDocument | YamlFailure {
  if (document.contents === null) return { root: new Map(), lineOf: () => undefined };
  const { value, lines, faults } = convert(document.contents, lineAt);
  if (faults.length > 0) return { faults };
  if (value !== undefined && !isMapping(value)) {
    return failure(`cannot unmarshal ${describe(value)} into config.BotConfig: the file must be a mapping of settings`);
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

function failure(message: string): YamlFailure {
  return { faults: [{ path: 'document', message }] };
}
