/** Splits an expression into tokens as Go's scanner does, which ends a line after a value. */
import { ExpressionFailure } from './expression-failure.ts';

export type TokenKind = 'name' | 'keyword' | 'number' | 'text' | 'rune' | 'operator' | 'newline' | 'end';

export interface Token {
  readonly kind: TokenKind;
  /** As written; for a text its value. */
  readonly text: string;
  readonly from: number;
  readonly to: number;
}

/** Bounds the depth of the tree, too. */
const MAX_TOKENS = 2000;

const KEYWORDS: ReadonlySet<string> = new Set([
  ...['break', 'case', 'chan', 'const', 'continue', 'default', 'defer', 'else', 'fallthrough', 'for', 'func', 'go'],
  ...['goto', 'if', 'import', 'interface', 'map', 'package', 'range', 'return', 'select', 'struct', 'switch', 'type'],
  'var',
]);

const NAME = /[\p{L}_][\p{L}\p{Nd}_]*/uy;
const NUMBER = /(?:\d|\.\d)(?:[eEpP][+-]|[\w.])*/y;
const BLANK = /(?:[ \t\r]|\/\/[^\n]*)+/y;
const OPERATOR = /&&|\|\||==|!=|<=|>=|<<|>>|&\^|<-|[-!<>+*/%&|^()[\].,:;=]/y;

/**
 * Without the end of the expression.
 * @throws ExpressionFailure syntax, unsupported
 */
export function tokensOf(source: string): readonly Token[] {
  const tokens: Token[] = [];
  let at = 0;
  while (at < source.length) {
    const token = nextToken(source, at);
    at = token.to;
    if (token.kind !== 'newline' || (token.text !== '' && endsALine(tokens.at(-1)))) tokens.push(token);
    if (tokens.length > MAX_TOKENS) {
      throw new ExpressionFailure('unsupported', `has more than ${MAX_TOKENS} tokens, which is not checked here`, at);
    }
  }
  return tokens;
}

/** A blank or a comment within a line is a newline without text. */
function nextToken(source: string, from: number): Token {
  const token = (kind: TokenKind, text: string, to = from + text.length): Token => ({ kind, text, from, to });
  const first = source.charAt(from);
  if (first === '\n') return token('newline', '\n');
  if (source.startsWith('/*', from)) return blockComment(source, from);
  const blank = match(BLANK, source, from);
  if (blank !== undefined) return token('newline', '', from + blank.length);
  const name = match(NAME, source, from);
  if (name !== undefined) return token(KEYWORDS.has(name) ? 'keyword' : 'name', name);
  const number = match(NUMBER, source, from);
  if (number !== undefined) return token('number', number);
  if (first === '"') return quotedText(source, from);
  if (first === '`') return rawText(source, from);
  if (first === "'") return rune(source, from);
  const operator = match(OPERATOR, source, from);
  if (operator !== undefined) return token('operator', operator);
  throw new ExpressionFailure('syntax', `unexpected character ${JSON.stringify(first)}`, from);
}

function match(pattern: RegExp, source: string, from: number): string | undefined {
  pattern.lastIndex = from;
  return pattern.exec(source)?.[0];
}

function endsALine(last: Token | undefined): boolean {
  if (last === undefined) return false;
  return ['name', 'number', 'text', 'rune'].includes(last.kind) || [')', ']'].includes(last.text);
}

/** One that spans lines counts as a newline. */
function blockComment(source: string, from: number): Token {
  const end = source.indexOf('*/', from + 2);
  if (end === -1) throw new ExpressionFailure('syntax', 'comment not terminated', from);
  const to = end + 2;
  return { kind: 'newline', text: source.slice(from, to).includes('\n') ? '\n' : '', from, to };
}

function rawText(source: string, from: number): Token {
  const end = source.indexOf('`', from + 1);
  if (end === -1) throw new ExpressionFailure('syntax', 'text not terminated: the closing ` is missing', from);
  return { kind: 'text', text: source.slice(from + 1, end).replaceAll('\r', ''), from, to: end + 1 };
}

function rune(source: string, from: number): Token {
  const found = match(/'(?:[^'\\\n]|\\[^\n])+'/y, source, from);
  if (found === undefined) throw new ExpressionFailure('syntax', "text not terminated: the closing ' is missing", from);
  return { kind: 'rune', text: found, from, to: from + found.length };
}

const ESCAPES: ReadonlyMap<string, string> = new Map([
  ...([
    ['a', '\u0007'],
    ['b', '\b'],
    ['f', '\f'],
    ['n', '\n'],
    ['r', '\r'],
    ['t', '\t'],
    ['v', '\v'],
  ] as const),
  ...([
    ['\\', '\\'],
    ['"', '"'],
  ] as const),
]);

const CODE = /\\(?:x([0-9A-Fa-f]{2})|u([0-9A-Fa-f]{4})|U([0-9A-Fa-f]{8})|([0-7]{3}))/y;

/** A text in double quotes, with the escapes of Go. */
function quotedText(source: string, from: number): Token {
  let value = '';
  let at = from + 1;
  for (;;) {
    const character = source.charAt(at);
    if (character === '' || character === '\n') {
      throw new ExpressionFailure('syntax', 'text not terminated: the closing " is missing', from);
    }
    if (character === '"') return { kind: 'text', text: value, from, to: at + 1 };
    if (character !== '\\') {
      value += character;
      at += 1;
      continue;
    }
    const { length, text } = escape(source, at);
    value += text;
    at += length;
  }
}

function escape(source: string, at: number): { readonly text: string; readonly length: number } {
  const plain = ESCAPES.get(source.charAt(at + 1));
  if (plain !== undefined) return { text: plain, length: 2 };
  CODE.lastIndex = at;
  const [whole, ...codes] = CODE.exec(source) ?? [];
  const [byte, short, long, octal] = codes;
  const code = octal === undefined ? parseInt(byte ?? short ?? long ?? '', 16) : parseInt(octal, 8);
  if (whole === undefined || code > 0x10ffff) throw new ExpressionFailure('syntax', 'unknown escape sequence', at);
  return { text: String.fromCodePoint(code), length: whole.length };
}
