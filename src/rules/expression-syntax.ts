/**
 * Parses the expression of an `allow_any` entry. Its syntax is that of Go's expressions, of which Teleport supports a part
 * (generic_oidc reference, "Traps").
 */
import { ExpressionFailure } from './expression-failure.ts';
import { type Token, tokensOf } from './expression-tokens.ts';

interface Place {
  /** In the text of the expression. */
  readonly from: number;
  readonly to: number;
}

export type Node = Place &
  (
    | { readonly kind: 'text'; readonly value: string }
    | { readonly kind: 'number'; readonly value: number; readonly isInteger: boolean }
    | { readonly kind: 'name'; readonly name: string }
    | { readonly kind: 'member'; readonly of: Node; readonly name: string }
    | { readonly kind: 'index'; readonly of: Node; readonly key: Node }
    | { readonly kind: 'call'; readonly callee: Node; readonly args: readonly Node[] }
    | { readonly kind: 'unary'; readonly operator: string; readonly operand: Node }
    | { readonly kind: 'binary'; readonly operator: string; readonly left: Node; readonly right: Node }
  );

/** From the weakest to the strongest. */
const LEVELS: readonly (readonly string[])[] = [
  ['||'],
  ['&&'],
  ['==', '!=', '<', '<=', '>', '>='],
  ['+', '-', '|', '^'],
  ['*', '/', '%', '<<', '>>', '&', '&^'],
];

const UNARY = ['!', '-', '+', '^', '*', '&', '<-'];

/** @throws ExpressionFailure syntax, type, unsupported */
export function parseExpression(source: string): Node {
  return new Parser(source).whole();
}

const MAX_DEPTH = 100;

class Parser {
  readonly #source: string;
  readonly #tokens: readonly Token[];
  #at = 0;
  #depth = 0;

  constructor(source: string) {
    this.#source = source;
    this.#tokens = tokensOf(source);
  }

  whole(): Node {
    const node = this.#expression();
    const isAtLineEnd = this.#next.kind === 'newline';
    if (isAtLineEnd) this.#at += 1;
    if (this.#next.kind === 'end') return node;
    const { text } = this.#next;
    throw isAtLineEnd && LEVELS.flat().includes(text)
      ? this.#failure(`the line before ended the expression; write ${text} at the end of that line`)
      : this.#unexpected('the end of the expression');
  }

  #expression(level = 0): Node {
    const operators = LEVELS[level];
    if (operators === undefined) return this.#unary();
    let left = this.#expression(level + 1);
    for (;;) {
      const operator = this.#takeOperator(operators);
      if (operator === undefined) return left;
      const right = this.#expression(level + 1);
      left = { kind: 'binary', operator: operator.text, left, right, from: left.from, to: right.to };
    }
  }

  #unary(): Node {
    const { from } = this.#next;
    const operator = this.#takeOperator(UNARY);
    if (operator === undefined) return this.#primary();
    const operand = this.#deeper(() => this.#unary());
    return { kind: 'unary', operator: operator.text, operand, from, to: operand.to };
  }

  #primary(): Node {
    let node = this.#operand();
    for (;;) {
      const { from } = node;
      const opener = this.#takeOperator(['.', '[', '(']);
      if (opener === undefined) return node;
      if (opener.text === '.') {
        const name = this.#next;
        if (name.kind !== 'name') throw this.#unexpected('a name');
        this.#at += 1;
        node = { kind: 'member', of: node, name: name.text, from, to: name.to };
      } else if (opener.text === '[') {
        const key = this.#deeper(() => this.#expression());
        node = { kind: 'index', of: node, key, from, to: this.#close(']') };
      } else {
        const { args, to } = this.#deeper(() => this.#args());
        node = { kind: 'call', callee: node, args, from, to };
      }
    }
  }

  #args(): { readonly args: readonly Node[]; readonly to: number } {
    const args: Node[] = [];
    for (;;) {
      const end = this.#takeOperator([')']);
      if (end !== undefined) return { args, to: end.to };
      args.push(this.#expression());
      if (this.#takeOperator([',']) !== undefined) continue;
      if (this.#next.text === ')') continue;
      throw this.#next.kind === 'newline'
        ? this.#failure('a comma is missing at the end of the line')
        : this.#unexpected('"," or ")"');
    }
  }

  #operand(): Node {
    const { from, kind, text, to } = this.#next;
    switch (kind) {
      case 'name':
        this.#at += 1;
        return { kind: 'name', name: text, from, to };
      case 'text':
        this.#at += 1;
        return { kind: 'text', value: text, from, to };
      case 'number':
        this.#at += 1;
        return numberNode(text, { from, to });
      case 'rune':
        throw new ExpressionFailure('type', `${text} is not a text; use double quotes`, from);
      case 'operator': {
        if (this.#takeOperator(['(']) === undefined) throw this.#unexpected('a value');
        const inner = this.#deeper(() => this.#expression());
        return { ...inner, from, to: this.#close(')') };
      }
      case 'keyword':
      case 'newline':
      case 'end':
        throw this.#unexpected('a value');
      default:
        return kind satisfies never;
    }
  }

  get #next(): Token {
    const end = this.#source.length;
    return this.#tokens[this.#at] ?? { kind: 'end', text: 'end of the expression', from: end, to: end };
  }

  #takeOperator(operators: readonly string[]): Token | undefined {
    const token = this.#next;
    if (token.kind !== 'operator' || !operators.includes(token.text)) return undefined;
    this.#at += 1;
    return token;
  }

  /** @returns where the closing bracket ends */
  #close(bracket: string): number {
    const token = this.#takeOperator([bracket]);
    if (token === undefined) throw this.#unexpected(`"${bracket}"`);
    return token.to;
  }

  #deeper<T>(parse: () => T): T {
    this.#depth += 1;
    if (this.#depth > MAX_DEPTH) {
      throw new ExpressionFailure('unsupported', `has more than ${MAX_DEPTH} levels, which is not checked here`, 0);
    }
    const result = parse();
    this.#depth -= 1;
    return result;
  }

  #unexpected(expected: string): ExpressionFailure {
    const { kind, text } = this.#next;
    const found = kind === 'end' ? text : kind === 'newline' ? 'a new line' : JSON.stringify(text);
    return this.#failure(`expected ${expected}, found ${found}`);
  }

  #failure(message: string): ExpressionFailure {
    return new ExpressionFailure('syntax', message, this.#next.from);
  }
}

/** Only decimal digits make an integer. */
function numberNode(text: string, place: Place): Node {
  const isInteger = /^\d+$/.test(text);
  if (!isInteger && !/^(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?$/.test(text)) {
    throw new ExpressionFailure('type', `${text} is not a number that Teleport reads`, place.from);
  }
  return { kind: 'number', value: Number(text), isInteger, ...place };
}
