/**
 * Reads the resource blocks of a Terraform file. Only literals have a value here; any other expression stays the text
 * `${expression}`, which only Terraform can evaluate.
 */
import { formatPath, type Mapping, type Path, Scalar, type YamlValue } from '../schema/yaml/tree.ts';

export interface HclBlock {
  readonly type: string;
  readonly label: string;
  readonly line: number;
  readonly body: Mapping;
  /** The line of the key or item at `path`. */
  readonly lines: ReadonlyMap<string, number>;
  /** Paths whose value is an expression. */
  readonly unknown: ReadonlySet<string>;
}

export interface HclProblem {
  readonly line: number;
  readonly message: string;
}

/** The blocks `resource "TYPE" "LABEL"` of the types; other blocks are skipped. */
export function readHclResources(text: string, types: ReadonlySet<string>): readonly HclBlock[] | HclProblem {
  try {
    return new Reader(text).resources(types);
  } catch (error) {
    if (error instanceof HclError) return { line: error.line, message: error.message };
    throw error;
  }
}

class HclError extends Error {
  readonly line: number;

  constructor(message: string, line: number) {
    super(message);
    this.line = line;
  }
}

const MAX_DEPTH = 50;
const MAX_VALUES = 10_000;
const NAME = /[A-Za-z_][\w-]*/y;
const SPACE = /(?:[ \t\r]|\/\*[^]*?\*\/)+|(?:#|\/\/)[^\n]*/y;

class Reader {
  readonly #text: string;
  readonly #lineEnds: readonly number[];
  #at = 0;
  #depth = 0;
  #values = 0;
  #lines = new Map<string, number>();
  #unknown = new Set<string>();

  constructor(text: string) {
    this.#text = text;
    this.#lineEnds = [...text.matchAll(/\n/g)].map(({ index }) => index);
  }

  resources(types: ReadonlySet<string>): readonly HclBlock[] {
    const blocks: HclBlock[] = [];
    for (;;) {
      this.#skipLines();
      if (this.#at >= this.#text.length) return blocks;
      const line = this.#line();
      const kind = this.#name('a block');
      const labels = this.#labels();
      const [type = '', label = ''] = labels;
      this.#lines = new Map();
      this.#unknown = new Set();
      if (labels.length === 0 && this.#takes('=')) this.#value([]);
      else {
        this.#expect('{');
        const body = this.#body([], '}');
        if (kind === 'resource' && types.has(type)) {
          blocks.push({ type, label, line, body, lines: this.#lines, unknown: this.#unknown });
        }
      }
    }
  }

  #labels(): readonly string[] {
    const labels: string[] = [];
    for (;;) {
      this.#skip();
      if (this.#text[this.#at] !== '"') return labels;
      labels.push(this.#string().text);
    }
  }

  /** The attributes and blocks up to the bracket. */
  #body(path: Path, end: string): Mapping {
    const body = new Map<string, YamlValue | undefined>();
    this.#deeper();
    for (;;) {
      this.#skipLines();
      if (this.#takes(end)) break;
      if (this.#takes(',')) continue;
      const line = this.#line();
      const key = this.#key();
      const inner = [...path, key];
      // A repeated block.
      if (body.has(key)) this.#unknown.add(formatPath(inner));
      this.#lines.set(formatPath(inner), line);
      this.#labels();
      if (this.#takes('=') || this.#takes(':')) body.set(key, this.#value(inner));
      else {
        this.#expect('{');
        body.set(key, this.#body(inner, '}'));
      }
    }
    this.#depth -= 1;
    return body;
  }

  #key(): string {
    if (this.#text[this.#at] === '"') return this.#string().text;
    if (this.#takes('(')) throw this.#error('a key in parentheses is an expression, which only Terraform can evaluate');
    return this.#name('a key');
  }

  #value(path: Path): YamlValue | undefined {
    this.#values += 1;
    if (this.#values > MAX_VALUES) throw this.#error(`the file has more than ${MAX_VALUES} values`);
    this.#skip();
    const from = this.#at;
    const simple = this.#simpleValue(path);
    if (simple !== undefined && this.#isAtEnd()) return simple.value;
    this.#at = from;
    return this.#expression(path);
  }

  #simpleValue(path: Path): { readonly value: YamlValue | undefined } | undefined {
    const first = this.#text[this.#at];
    if (first === '"') {
      const { isTemplate, text } = this.#string();
      return isTemplate ? undefined : { value: new Scalar(text, { plain: false }) };
    }
    if (this.#text.startsWith('<<', this.#at)) {
      const text = this.#heredoc();
      return text === undefined ? undefined : { value: new Scalar(text, { plain: false }) };
    }
    if (first === '{') {
      if (/\{\s*for\b/y.test(this.#text.slice(this.#at, this.#at + 50))) return undefined;
      this.#at += 1;
      return { value: this.#body(path, '}') };
    }
    if (first === '[') return this.#list(path);
    const word = this.#match(/-?[\w.+-]+/y);
    if (word === undefined) return undefined;
    this.#at += word.length;
    if (word === 'null') return { value: undefined };
    if (/^(?:true|false|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)$/.test(word))
      return { value: new Scalar(word, { plain: true }) };
    return undefined;
  }

  #list(path: Path): { readonly value: YamlValue } | undefined {
    if (/\[\s*for\b/y.test(this.#text.slice(this.#at, this.#at + 50))) return undefined;
    this.#at += 1;
    this.#deeper();
    const items: YamlValue[] = [];
    for (;;) {
      this.#skipLines();
      if (this.#takes(']')) break;
      if (this.#takes(',')) continue;
      const inner = [...path, items.length];
      this.#lines.set(formatPath(inner), this.#line());
      items.push(this.#value(inner) ?? new Scalar('', { plain: true }));
    }
    this.#depth -= 1;
    return { value: items };
  }

  /** Anything else, up to the end of the line or of the collection around it. */
  #expression(path: Path): YamlValue {
    const from = this.#at;
    let depth = 0;
    for (;;) {
      const character = this.#text[this.#at];
      if (character === undefined) break;
      if (character === '"') {
        this.#string();
        continue;
      }
      if ('([{'.includes(character)) depth += 1;
      if (')]}'.includes(character)) {
        if (depth === 0) break;
        depth -= 1;
      }
      if (depth === 0 && (character === '\n' || character === ',')) break;
      this.#at += 1;
    }
    const source = this.#text
      .slice(from, this.#at)
      .replace(/(?:#|\/\/).*$/s, '')
      .trim();
    if (source === '') throw this.#error('a value is missing');
    this.#unknown.add(formatPath(path));
    return new Scalar(`\${${source}}`, { plain: false });
  }

  /** In quotes. A template contains `${` or `%{`. */
  #string(): { readonly text: string; readonly isTemplate: boolean } {
    let text = '';
    let isTemplate = false;
    let at = this.#at + 1;
    for (;;) {
      const character = this.#text[at];
      if (character === undefined || character === '\n') throw this.#error('a text is not terminated');
      if (character === '"') break;
      const next = this.#text[at + 1] ?? '';
      const after = this.#text[at + 2] ?? '';
      if (character === '\\') {
        const { length, value } = escape(this.#text, at);
        if (value === undefined) throw this.#error(`"\\${next}" is not an escape sequence`);
        text += value;
        at += length;
      } else if ((character === '$' || character === '%') && next === character && after === '{') {
        text += `${character}{`;
        at += 3;
      } else if ((character === '$' || character === '%') && next === '{') {
        isTemplate = true;
        at = this.#endOfTemplate(at + 2);
      } else {
        text += character;
        at += 1;
      }
    }
    this.#at = at + 1;
    return { text, isTemplate };
  }

  #endOfTemplate(from: number): number {
    let depth = 1;
    for (let at = from; at < this.#text.length; at++) {
      const character = this.#text[at];
      if (character === '{') depth += 1;
      if (character === '}') depth -= 1;
      if (depth === 0) return at + 1;
    }
    throw this.#error('a template is not terminated');
  }

  /** Undefined if it contains a template. */
  #heredoc(): string | undefined {
    const opening = this.#match(/<<-?[A-Za-z_]\w*[ \t\r]*\n/y);
    if (opening === undefined) throw this.#error('expected a heredoc such as <<-EOT');
    const word = opening.replace(/[<\s-]/g, '');
    const start = this.#at + opening.length;
    const end = new RegExp(`^[ \\t]*${word}[ \\t\\r]*$`, 'm').exec(this.#text.slice(start));
    if (end === null) throw this.#error(`the heredoc ${word} is not terminated`);
    this.#at = start + end.index + end[0].length;
    const raw = this.#text.slice(start, start + end.index);
    if (/(?<![$%])[$%]\{/.test(raw)) return undefined;
    const text = raw.replace(/([$%])\1\{/g, '$1{');
    return opening.startsWith('<<-') ? withoutIndent(text) : text;
  }

  #isAtEnd(): boolean {
    this.#skip();
    const next = this.#text[this.#at];
    return next === undefined || '\n,]})'.includes(next);
  }

  #name(what: string): string {
    const name = this.#match(NAME);
    if (name === undefined) throw this.#error(`expected ${what}`);
    this.#at += name.length;
    return name;
  }

  #match(pattern: RegExp): string | undefined {
    pattern.lastIndex = this.#at;
    return pattern.exec(this.#text)?.[0];
  }

  #takes(character: string): boolean {
    this.#skip();
    if (this.#text[this.#at] !== character) return false;
    this.#at += 1;
    return true;
  }

  #expect(character: string): void {
    if (!this.#takes(character)) throw this.#error(`expected "${character}"`);
  }

  #skip(): void {
    for (;;) {
      const space = this.#match(SPACE);
      if (space === undefined) return;
      this.#at += space.length;
    }
  }

  #skipLines(): void {
    for (;;) {
      this.#skip();
      if (this.#text[this.#at] !== '\n') return;
      this.#at += 1;
    }
  }

  #deeper(): void {
    this.#depth += 1;
    if (this.#depth > MAX_DEPTH) throw this.#error(`the file has more than ${MAX_DEPTH} levels`);
  }

  #line(): number {
    let [low, high] = [0, this.#lineEnds.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.#lineEnds[middle] ?? 0) < this.#at) low = middle + 1;
      else high = middle;
    }
    return low + 1;
  }

  #error(message: string): HclError {
    return new HclError(message, this.#line());
  }
}

const ESCAPES: ReadonlyMap<string, string> = new Map([
  ['n', '\n'],
  ['r', '\r'],
  ['t', '\t'],
  ['"', '"'],
  ['\\', '\\'],
]);

function escape(text: string, at: number): { readonly value: string | undefined; readonly length: number } {
  const code = /^\\(?:u([0-9A-Fa-f]{4})|U00([0-9A-Fa-f]{6}))/.exec(text.slice(at, at + 10));
  if (code === null) return { value: ESCAPES.get(text.charAt(at + 1)), length: 2 };
  const point = parseInt(code[1] ?? code[2] ?? '', 16);
  return { value: point > 0x10ffff ? undefined : String.fromCodePoint(point), length: code[0].length };
}

/** Of `<<-`: the indentation that all lines share. */
function withoutIndent(text: string): string {
  const indents = text
    .split('\n')
    .filter((line) => line.trim() !== '')
    .map((line) => /^[ \t]*/.exec(line)?.[0].length ?? 0);
  const least = indents.length === 0 ? 0 : Math.min(...indents);
  return text.replace(new RegExp(`^[ \\t]{${least}}`, 'gm'), '');
}
