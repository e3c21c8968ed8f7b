/**
 * The syntax of Teleport's predicate expressions, which is that of Go's expressions: gravitational/predicate 1.3.4 hands
 * the text to `go/parser` (generic-oidc.md, "Traps with CircleCI's claim names").
 */
import { Refusal } from './go-values.ts';

export type Syntax =
  | { readonly kind: 'string'; readonly value: string }
  | { readonly kind: 'int'; readonly value: number }
  | { readonly kind: 'float'; readonly value: number }
  | { readonly kind: 'name'; readonly name: string }
  | { readonly kind: 'selector'; readonly of: Syntax; readonly name: string }
  | { readonly kind: 'index'; readonly of: Syntax; readonly key: Syntax }
  | { readonly kind: 'call'; readonly callee: Syntax; readonly args: readonly Syntax[] }
  | { readonly kind: 'unary'; readonly operator: string; readonly operand: Syntax }
  | { readonly kind: 'binary'; readonly operator: string; readonly left: Syntax; readonly right: Syntax };

interface Token {
  readonly kind: 'name' | 'keyword' | 'number' | 'string' | 'char' | 'operator' | 'newline' | 'end';
  readonly text: string;
  /** From 1, within its line. */
  readonly column: number;
  readonly line: number;
}

/** Precedences of Go; the predicate language has no operators of the last two. */
const PRECEDENCE: ReadonlyMap<string, number> = new Map(
  [['||'], ['&&'], ['==', '!=', '<', '<=', '>', '>='], ['+', '-', '|', '^'], ['*', '/', '%', '<<', '>>', '&', '&^']]
    .map((operators, index) => operators.map((operator) => [operator, index + 1] as const))
    .flat(),
);
const UNARY = new Set(['!', '-', '+', '^', '*', '&', '<-']);

const KEYWORDS = new Set(
  (
    'break case chan const continue default defer else fallthrough for func go goto if import interface map package ' +
    'range return select struct switch type var'
  ).split(' '),
);

const PATTERN =
  /(?<blank>[ \t\r]+|\/\/[^\n]*|\/\*[^]*?\*\/)|(?<newline>\n)|(?<name>[\p{L}_][\p{L}\p{Nd}_]*)|(?<number>\.?\d(?:[eEpP][+-]|[\w.])*)|(?<string>"(?:[^"\\\n]|\\[^\n])*"|`[^`]*`)|(?<char>'(?:[^'\\\n]|\\[^\n])+')|(?<operator>&&|\|\||==|!=|<=|>=|<<|>>|&\^|<-|[-!<>+*/%&|^()[\].,:;=])|(?<other>[^])/guy;

/** Go's line of one expression ends after these tokens at a newline, as if there were a semicolon. */
const ENDS_A_LINE = new Set([')', ']']);

/** @throws Refusal with the position, as Go's parser reports it */
export function parseExpression(text: string): Syntax {
  const parser = new Parser(tokensOf(text));
  const syntax = parser.binary(1);
  parser.end();
  return syntax;
}

function tokensOf(text: string): readonly Token[] {
  const tokens: Token[] = [];
  let line = 1;
  let lineStart = 0;
  for (const match of text.matchAll(PATTERN)) {
    const { blank, newline, name, number, string, char, operator } = match.groups ?? {};
    const place = { line, column: match.index - lineStart + 1 };
    const last = tokens.at(-1);
    const newlines = match[0].split('\n').length - 1;
    if (newline !== undefined || (blank !== undefined && newlines > 0)) {
      if (last !== undefined && endsALine(last)) {
        tokens.push({ kind: 'newline', text: 'newline', ...place });
      }
    } else if (name !== undefined) {
      tokens.push({ kind: KEYWORDS.has(name) ? 'keyword' : 'name', text: name, ...place });
    } else if (number !== undefined) {
      tokens.push({ kind: 'number', text: number, ...place });
    } else if (string !== undefined) {
      tokens.push({ kind: 'string', text: string, ...place });
    } else if (char !== undefined) {
      tokens.push({ kind: 'char', text: char, ...place });
    } else if (operator !== undefined) {
      tokens.push({ kind: 'operator', text: operator, ...place });
    } else if (blank === undefined) {
      throw syntaxError(place, illegal(match[0]));
    }
    if (newlines > 0) {
      line += newlines;
      lineStart = match.index + match[0].lastIndexOf('\n') + 1;
    }
  }
  return [...tokens, { kind: 'end', text: 'EOF', line, column: text.length - lineStart + 1 }];
}

function endsALine({ kind, text }: Token): boolean {
  return ['name', 'number', 'string', 'char'].includes(kind) || ENDS_A_LINE.has(text);
}

function illegal(text: string): string {
  switch (text) {
    case '"':
      return 'string literal not terminated';
    case '`':
      return 'raw string literal not terminated';
    case "'":
      return 'rune literal not terminated';
    default: {
      const code = (text.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, '0');
      return `illegal character U+${code} '${text}'`;
    }
  }
}

function syntaxError({ line, column }: Pick<Token, 'line' | 'column'>, message: string): Refusal {
  return new Refusal(`${String(line)}:${String(column)}: ${message}`);
}

class Parser {
  readonly #tokens: readonly Token[];
  #at = 0;

  constructor(tokens: readonly Token[]) {
    this.#tokens = tokens;
  }

  /** Operators of the precedence or above, which associate to the left. */
  binary(precedence: number): Syntax {
    let left = this.#unary();
    for (;;) {
      const own = this.#next.kind === 'operator' ? (PRECEDENCE.get(this.#next.text) ?? 0) : 0;
      if (own < precedence) {
        return left;
      }
      const operator = this.#take().text;
      left = { kind: 'binary', operator, left, right: this.binary(own + 1) };
    }
  }

  /** After the expression there may be one newline, as after every line of Go. */
  end(): void {
    this.#takeIf('newline', 'newline');
    if (this.#next.kind !== 'end') {
      throw this.#expected("'EOF'");
    }
  }

  get #next(): Token {
    const token = this.#tokens[this.#at];
    if (token === undefined) {
      throw new RangeError('behind the last token');
    }
    return token;
  }

  #take(): Token {
    const token = this.#next;
    this.#at += 1;
    return token;
  }

  #takeIf(kind: Token['kind'], text: string): boolean {
    const matches = this.#next.kind === kind && this.#next.text === text;
    this.#at += matches ? 1 : 0;
    return matches;
  }

  #expect(text: string): void {
    if (!this.#takeIf('operator', text)) {
      throw this.#expected(`'${text}'`);
    }
  }

  #expected(what: string): Refusal {
    const { kind, text } = this.#next;
    const found = kind === 'operator' || kind === 'keyword' || kind === 'end' ? `'${text}'` : text;
    return syntaxError(this.#next, `expected ${what}, found ${found}`);
  }

  #unary(): Syntax {
    if (this.#next.kind === 'operator' && UNARY.has(this.#next.text)) {
      return { kind: 'unary', operator: this.#take().text, operand: this.#unary() };
    }
    return this.#primary();
  }

  #primary(): Syntax {
    let syntax = this.#operand();
    for (;;) {
      if (this.#takeIf('operator', '.')) {
        syntax = { kind: 'selector', of: syntax, name: this.#selected() };
      } else if (this.#takeIf('operator', '[')) {
        syntax = { kind: 'index', of: syntax, key: this.binary(1) };
        this.#expect(']');
      } else if (this.#takeIf('operator', '(')) {
        syntax = { kind: 'call', callee: syntax, args: this.#args() };
      } else {
        return syntax;
      }
    }
  }

  /** A keyword, such as in `claims.type`, cannot be selected. */
  #selected(): string {
    if (this.#next.kind !== 'name') {
      throw this.#expected('selector or type assertion');
    }
    return this.#take().text;
  }

  /** A comma may follow the last argument, and must if a newline does. */
  #args(): readonly Syntax[] {
    const args: Syntax[] = [];
    while (!this.#takeIf('operator', ')')) {
      args.push(this.binary(1));
      if (!this.#takeIf('operator', ',') && this.#next.text !== ')') {
        const where = this.#next.kind === 'newline' ? ' before newline' : '';
        throw syntaxError(this.#next, `missing ','${where} in argument list`);
      }
    }
    return args;
  }

  #operand(): Syntax {
    const token = this.#next;
    switch (token.kind) {
      case 'name':
        return { kind: 'name', name: this.#take().text };
      case 'string':
        return { kind: 'string', value: unquoted(this.#take()) };
      case 'number':
        return numberOf(this.#take());
      case 'char':
        throw new Refusal("unsupported function argument type: 'CHAR'");
      case 'operator':
        if (this.#takeIf('operator', '(')) {
          const inner = this.binary(1);
          this.#expect(')');
          return inner;
        }
        throw this.#expected('operand');
      case 'keyword':
      case 'newline':
      case 'end':
        throw this.#expected('operand');
    }
  }
}

/** As Go converts the literals (strconv.Atoi, strconv.ParseFloat): an integer in decimal digits alone. */
function numberOf({ text }: Token): Syntax {
  if (/^\d+$/.test(text)) {
    return { kind: 'int', value: Number(text) };
  }
  if (/^(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?$/.test(text)) {
    return { kind: 'float', value: Number(text) };
  }
  throw new Refusal(`failed to parse argument: ${text}, error: invalid syntax`);
}

const ESCAPES: Readonly<Record<string, string>> = {
  a: '\u0007',
  b: '\b',
  f: '\f',
  n: '\n',
  r: '\r',
  t: '\t',
  v: '\v',
  '\\': '\\',
  '"': '"',
};

/** An interpreted string or a raw one, of the Go language. */
function unquoted(token: Token): string {
  const inner = token.text.slice(1, -1);
  if (token.text.startsWith('`')) {
    return inner.replaceAll('\r', '');
  }
  return inner.replace(
    /\\(?:x([0-9A-Fa-f]{2})|u([0-9A-Fa-f]{4})|U([0-9A-Fa-f]{8})|([0-7]{3})|([^]))/gu,
    (_all, byte?: string, short?: string, long?: string, octal?: string, letter = '') => {
      const hexadecimal = byte ?? short ?? long;
      if (hexadecimal !== undefined) {
        return String.fromCodePoint(parseInt(hexadecimal, 16));
      }
      if (octal !== undefined) {
        return String.fromCodePoint(parseInt(octal, 8));
      }
      const plain = Object.hasOwn(ESCAPES, String(letter)) ? ESCAPES[String(letter)] : undefined;
      if (plain === undefined) {
        throw syntaxError(token, 'unknown escape sequence');
      }
      return plain;
    },
  );
}
