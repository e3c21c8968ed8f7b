/**
 * The functions and methods of predicate expressions that rules about a CircleCI job need; Teleport has a few more
 * (lib/expression/parser.go, of which `set` takes lists in this join method: lib/join/genericoidc/expression.go@4066fa16).
 */
import { isSet, typeNameOf, type Type, type Value } from './expression-values.ts';
import { goQuoted, isList, NotModelled, Refusal } from './go-values.ts';

export interface FunctionSpec {
  readonly parameters: readonly Type[];
  /** Of any further arguments. */
  readonly rest?: Type;
  readonly result: Type;
  /** The arguments have the types of the parameters. */
  readonly call: (args: readonly Value[]) => Value;
}

const contains: FunctionSpec = {
  parameters: ['set', 'string'],
  result: 'bool',
  call: ([set, text]) => setOf(set).has(textOf(text)),
};
const containsAny: FunctionSpec = {
  parameters: ['set', 'set'],
  result: 'bool',
  call: ([set, others]) => [...setOf(others)].some((text) => setOf(set).has(text)),
};
/** Of an empty set, nothing contains all. */
const containsAll: FunctionSpec = {
  parameters: ['set', 'set'],
  result: 'bool',
  call: ([set, others]) => setOf(others).size > 0 && [...setOf(others)].every((text) => setOf(set).has(text)),
};
const isEmpty: FunctionSpec = { parameters: ['set'], result: 'bool', call: ([set]) => setOf(set).size === 0 };

export const FUNCTIONS: ReadonlyMap<string, FunctionSpec> = new Map<string, FunctionSpec>([
  ['set', { parameters: [], rest: 'any', result: 'set', call: (args) => new Set(args.flatMap(elementsOf)) }],
  [
    'union',
    { parameters: [], rest: 'set', result: 'set', call: (args) => new Set(args.flatMap((set) => [...setOf(set)])) },
  ],
  [
    'ifelse',
    {
      parameters: ['bool', 'any', 'any'],
      result: 'any',
      call: ([condition, one = null, other = null]) => (condition === true ? one : other),
    },
  ],
  ['contains', contains],
  ['contains_any', containsAny],
  ['contains_all', containsAll],
  ['is_empty', isEmpty],
  ['regexp.match', { parameters: ['set', 'string'], result: 'bool', call: matchesAny }],
  ['strings.lower', { parameters: ['any'], result: 'any', call: ([input]) => transformed('strings.lower', input) }],
  ['strings.upper', { parameters: ['any'], result: 'any', call: ([input]) => transformed('strings.upper', input) }],
]);

export const METHODS: ReadonlyMap<string, FunctionSpec> = new Map<string, FunctionSpec>([
  ['contains', contains],
  ['contains_any', containsAny],
  ['contains_all', containsAll],
  ['isempty', isEmpty],
  [
    'add',
    {
      parameters: ['set'],
      rest: 'string',
      result: 'set',
      call: ([set, ...texts]) => new Set([...setOf(set), ...texts.map(textOf)]),
    },
  ],
]);

/** Known to Teleport, and not to this cluster. */
export const UNMODELLED: { readonly functions: ReadonlySet<string>; readonly methods: ReadonlySet<string> } = {
  functions: new Set(
    (
      'dict pair choose option email.local regexp.replace strings.replaceall strings.split time.RFC3339 before after ' +
      'between newer_than older_than'
    ).split(' '),
  ),
  methods: new Set(['put', 'add_values', 'remove', 'before', 'after', 'between']),
};

/** Strings, lists of strings and sets; nothing else, nil included. */
function elementsOf(value: Value): readonly string[] {
  if (typeof value === 'string') {
    return [value];
  }
  if (isSet(value)) {
    return [...value];
  }
  if (!isList(value)) {
    throw new Refusal(`unsupported set element type, got: ${typeNameOf(value)}`);
  }
  return value.map((element) => {
    if (typeof element !== 'string') {
      throw new Refusal(`unsupported set element type, got ${typeNameOf(element)}`);
    }
    return element;
  });
}

/**
 * A pattern from `^` to `$` is a regular expression, any other a text in which `*` stands for anything
 * (`RegexMatchesAny` of lib/utils/replace.go).
 */
function matchesAny([inputs, pattern]: readonly Value[]): boolean {
  const text = textOf(pattern);
  const regular = text.startsWith('^') && text.endsWith('$');
  const quoted = text.replace(/[\\^$.+?()[\]{}|*]/g, '\\$&').replaceAll('\\*', '(.*)');
  const expression = compiled(regular ? text : `^${quoted}$`);
  return [...setOf(inputs)].some((input) => expression.test(input));
}

/** Go's expressions (RE2) have neither lookaround nor back references, and some forms that JavaScript lacks. */
function compiled(text: string): RegExp {
  const bare = text.replaceAll('\\\\', '');
  if (/\(\?(?![=!:<])|\(\?P?<[^=!]|\\[AzpPQEC]|\[\[:/.test(bare)) {
    throw new NotModelled(`the regular expression ${text}`);
  }
  const unknown = /\(\?(?:[=!]|<[=!])|\\[1-9]|\\(?![dDsSwWbBtnrfvxa])[A-Za-z]/.test(bare);
  try {
    if (!unknown) {
      return new RegExp(text);
    }
  } catch {
    // reported below
  }
  throw new Refusal(`invalid regular expression ${goQuoted(text)}`);
}

function transformed(name: 'strings.lower' | 'strings.upper', input: Value | undefined): Value {
  const change = (text: string): string => (name === 'strings.lower' ? text.toLowerCase() : text.toUpperCase());
  if (typeof input === 'string') {
    return change(input);
  }
  if (input !== undefined && isSet(input)) {
    return new Set([...input].map(change));
  }
  const type = typeNameOf(input ?? null);
  throw new Refusal(`failed to evaluate argument to ${name}: expected string or set, got value of type ${type}`);
}

function setOf(value: Value | undefined): ReadonlySet<string> {
  if (value === undefined || !isSet(value)) {
    throw new RangeError('an argument is not a set');
  }
  return value;
}

function textOf(value: Value | undefined): string {
  if (typeof value !== 'string') {
    throw new RangeError('an argument is not a string');
  }
  return value;
}
