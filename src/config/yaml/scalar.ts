/** YAML scalars as they were written, so that each setting can read them as its own type. */

export type ScalarTag = 'str' | 'int' | 'float' | 'bool' | 'null';

const PLAIN_TAGS: readonly (readonly [ScalarTag, RegExp])[] = [
  ['null', /^(?:~|null|Null|NULL|)$/],
  ['bool', /^(?:true|True|TRUE|false|False|FALSE)$/],
  ['int', /^[-+]?(?:0b[01_]+|0o?[0-7_]+|0x[0-9a-fA-F_]+|\d[\d_]*)$/],
  ['float', /^(?:[-+]?(?:\.\d+|\d+(?:\.\d*)?)(?:[eE][-+]?\d+)?|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN))$/],
];

export class Scalar {
  /** The source text of a plain scalar, the content of a quoted or block one. */
  readonly text: string;
  /** What YAML's core schema takes it for. */
  readonly tag: ScalarTag;

  constructor(text: string, options: { readonly plain: boolean }) {
    this.text = text;
    this.tag = options.plain ? tagOf(text) : 'str';
  }
}

function tagOf(text: string): ScalarTag {
  return PLAIN_TAGS.find(([, pattern]) => pattern.test(text))?.[0] ?? 'str';
}
