/** The functions and methods of expressions that rules about a job need; Teleport has more. */
import { globMatches, regularExpression } from './expression-patterns.ts';
import { isSet, kindOf, textsOf, type Type, type Value } from './expression-values.ts';

/** Why a function has no value for its arguments. */
export interface NoValue {
  readonly problem: string;
  readonly kind: 'value' | 'unsupported';
}

export interface Signature {
  readonly takes: readonly Type[];
  /** The type of any number of further arguments. */
  readonly more?: Type;
  readonly gives: Type;
  /** The arguments have the types above. */
  readonly apply: (args: readonly Value[]) => { readonly value: Value } | NoValue;
}

const ofTwoSets = (holds: (one: ReadonlySet<string>, other: ReadonlySet<string>) => boolean): Signature => ({
  takes: ['set', 'set'],
  gives: 'bool',
  apply: ([one, other]) => ({ value: holds(setIn(one), setIn(other)) }),
});

const CONTAINS: Signature = {
  takes: ['set', 'string'],
  gives: 'bool',
  apply: ([set, text]) => ({ value: setIn(set).has(textIn(text)) }),
};
const CONTAINS_ANY = ofTwoSets((one, other) => [...other].some((text) => one.has(text)));
/** Nothing contains all of an empty set. */
const CONTAINS_ALL = ofTwoSets((one, other) => other.size > 0 && [...other].every((text) => one.has(text)));
const IS_EMPTY: Signature = { takes: ['set'], gives: 'bool', apply: ([set]) => ({ value: setIn(set).size === 0 }) };

const changesCase = (name: string, change: (text: string) => string): Signature => ({
  takes: ['any'],
  gives: 'any',
  apply: ([input = null]) => {
    if (typeof input === 'string') return { value: change(input) };
    if (isSet(input)) return { value: new Set([...input].map(change)) };
    return { problem: `${name} takes a text or a set, not ${kindOf(input)}`, kind: 'value' };
  },
});

export const FUNCTIONS: ReadonlyMap<string, Signature> = new Map<string, Signature>([
  ['set', { takes: [], more: 'any', gives: 'set', apply: makeSet }],
  [
    'union',
    {
      takes: [],
      more: 'set',
      gives: 'set',
      apply: (sets) => ({ value: new Set(sets.flatMap((set) => [...setIn(set)])) }),
    },
  ],
  [
    'ifelse',
    {
      takes: ['bool', 'any', 'any'],
      gives: 'any',
      apply: ([condition, yes = null, no = null]) => ({ value: condition === true ? yes : no }),
    },
  ],
  ['contains', CONTAINS],
  ['contains_any', CONTAINS_ANY],
  ['contains_all', CONTAINS_ALL],
  ['is_empty', IS_EMPTY],
  ['regexp.match', { takes: ['set', 'string'], gives: 'bool', apply: matchesPattern }],
  ['strings.lower', changesCase('strings.lower', (text) => text.toLowerCase())],
  ['strings.upper', changesCase('strings.upper', (text) => text.toUpperCase())],
]);

export const METHODS: ReadonlyMap<string, Signature> = new Map<string, Signature>([
  ['contains', CONTAINS],
  ['contains_any', CONTAINS_ANY],
  ['contains_all', CONTAINS_ALL],
  ['isempty', IS_EMPTY],
  [
    'add',
    {
      takes: ['set'],
      more: 'string',
      gives: 'set',
      apply: ([set, ...texts]) => ({ value: new Set([...setIn(set), ...texts.map(textIn)]) }),
    },
  ],
]);

/** Teleport has them, and this program does not evaluate them. */
export const OTHER_FUNCTIONS: ReadonlySet<string> = new Set([
  ...['dict', 'pair', 'choose', 'option', 'email.local', 'regexp.replace', 'strings.replaceall', 'strings.split'],
  ...['time.RFC3339', 'before', 'after', 'between', 'newer_than', 'older_than'],
]);
export const OTHER_METHODS: ReadonlySet<string> = new Set([
  ...['put', 'add_values', 'remove', 'before', 'after', 'between'],
]);

function makeSet(args: readonly Value[]): { readonly value: Value } | NoValue {
  const all = args.map((value) => ({ value, texts: textsOf(value) }));
  const wrong = all.find(({ texts }) => texts === undefined);
  if (wrong !== undefined) {
    const what = Array.isArray(wrong.value) ? 'a list with other values than texts' : kindOf(wrong.value);
    return { problem: `unsupported set element type: set takes texts and lists of texts, got ${what}`, kind: 'value' };
  }
  return { value: new Set(all.flatMap(({ texts = [] }) => texts)) };
}

/** A pattern from `^` to `$` is a regular expression; any other is a text in which `*` stands for anything. */
function matchesPattern([inputs, pattern]: readonly Value[]): { readonly value: Value } | NoValue {
  const text = textIn(pattern);
  const texts = [...setIn(inputs)];
  if (!(text.startsWith('^') && text.endsWith('$'))) {
    return { value: texts.some((input) => globMatches(text, input)) };
  }
  const expression = regularExpression(text);
  if ('problem' in expression) return expression;
  return { value: texts.some((input) => expression.regExp.test(input)) };
}

function setIn(value: Value | undefined): ReadonlySet<string> {
  return value !== undefined && isSet(value) ? value : new Set();
}

function textIn(value: Value | undefined): string {
  return typeof value === 'string' ? value : '';
}
