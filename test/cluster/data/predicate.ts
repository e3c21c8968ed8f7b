/** Teleport's predicate language, as far as machine identities use it: `name == "x"`, `labels["k"] == "v"`, `&&`, `||`. */
import { badParameter } from './teleport-errors.ts';

export interface Subject {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
}

export type Predicate = (subject: Subject) => boolean;

const TOKEN = /\s*(?:(==|!=|&&|\|\||[()[\]])|("(?:[^"\\\n]|\\.)*")|([A-Za-z_][\w.]*)|(\S))/gy;

/** @throws TeleportError BadParameter for invalid expressions */
export function parsePredicate(expression: string): Predicate {
  if (expression.trim() === '') {
    return () => true;
  }
  const tokens = new Tokens(expression);
  const predicate = parseOr(tokens);
  if (tokens.next !== undefined) {
    throw tokens.unexpected();
  }
  return predicate;
}

class Tokens {
  readonly #expression: string;
  readonly #all: readonly string[];
  #at = 0;

  constructor(expression: string) {
    this.#expression = expression;
    this.#all = [...expression.trimEnd().matchAll(TOKEN)].map(([token]) => token.trim());
  }

  get next(): string | undefined {
    return this.#all[this.#at];
  }

  take(): string {
    const token = this.next;
    if (token === undefined) {
      throw this.unexpected();
    }
    this.#at += 1;
    return token;
  }

  takeIf(token: string): boolean {
    const matches = this.next === token;
    this.#at += matches ? 1 : 0;
    return matches;
  }

  expect(token: string): void {
    if (!this.takeIf(token)) {
      throw this.unexpected();
    }
  }

  /** A quoted string, with the escapes that Go and JSON share. */
  string(): string {
    if (this.next?.startsWith('"') !== true || this.next.length < 2) {
      throw this.unexpected();
    }
    const value: unknown = parseJson(this.next);
    if (typeof value !== 'string') {
      throw this.unexpected();
    }
    this.#at += 1;
    return value;
  }

  unexpected(): Error {
    const what = this.next === undefined ? 'the end' : JSON.stringify(this.next);
    return badParameter(`failed to parse predicate expression ${JSON.stringify(this.#expression)}: unexpected ${what}`);
  }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function parseOr(tokens: Tokens): Predicate {
  const parts = [parseAnd(tokens)];
  while (tokens.takeIf('||')) {
    parts.push(parseAnd(tokens));
  }
  return (subject) => parts.some((part) => part(subject));
}

function parseAnd(tokens: Tokens): Predicate {
  const parts = [parseOperand(tokens)];
  while (tokens.takeIf('&&')) {
    parts.push(parseOperand(tokens));
  }
  return (subject) => parts.every((part) => part(subject));
}

function parseOperand(tokens: Tokens): Predicate {
  if (tokens.takeIf('(')) {
    const inner = parseOr(tokens);
    tokens.expect(')');
    return inner;
  }
  const read = parseField(tokens);
  const equal = tokens.takeIf('==');
  if (!equal) {
    tokens.expect('!=');
  }
  const wanted = tokens.string();
  return (subject) => (read(subject) === wanted) === equal;
}

function parseField(tokens: Tokens): (subject: Subject) => string {
  if (tokens.takeIf('name')) {
    return ({ name }) => name;
  }
  tokens.expect('labels');
  tokens.expect('[');
  const key = tokens.string();
  tokens.expect(']');
  return ({ labels }) => labels[key] ?? '';
}
