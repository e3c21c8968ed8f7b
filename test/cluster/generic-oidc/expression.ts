/**
 * Teleport's predicate expressions over the claims of a JWT: types as `typical` assigns them while it parses, values as it
 * computes them (generic-oidc.md, "Traps with CircleCI's claim names"; lib/utils/typical/parser.go@02a7f418). What a claim
 * holds is known at the join only; nil where a type is needed is then a panic, not an error.
 */
import { FUNCTIONS, METHODS, UNMODELLED, type FunctionSpec } from './expression-functions.ts';
import { parseExpression, type Syntax } from './expression-syntax.ts';
import { isSet, TYPE_NAMES, typeNameOf, type Type, type Value } from './expression-values.ts';
import {
  GoPanic,
  goQuoted,
  goText,
  isObject,
  memberOf,
  NotModelled,
  Refusal,
  within,
  type JsonObject,
} from './go-values.ts';

/** An expression of a known type; `any` is known at the join only. */
interface Typed {
  readonly type: Type;
  /** For literals, what error texts call them. */
  readonly literal?: string;
  readonly evaluate: (claims: JsonObject) => Value;
}

/**
 * Whether the expression holds.
 * @throws Refusal for what Teleport reports as an error, GoPanic for what it does not survive
 */
export function evaluateExpression(text: string, claims: JsonObject): boolean {
  const holds = within(`parsing expression: ${text}`, () => {
    const typed = within('parsing expression', () => typedOf(parseExpression(text)));
    return within('expression evaluated to unexpected type', () => coerced(typed, 'bool', isBoolean));
  });
  return within(`evaluating expression: ${text}`, () => holds(claims));
}

function typedOf(syntax: Syntax): Typed {
  switch (syntax.kind) {
    case 'string':
    case 'int':
      return literal(syntax.kind, syntax.value);
    case 'float':
      return literal('float64', syntax.value);
    case 'name':
    case 'selector':
      return fieldOf(pathOf(syntax));
    case 'index':
      return indexOf(typedOf(syntax.of), typedOf(syntax.key));
    case 'call':
      return callOf(syntax.callee, syntax.args);
    case 'unary':
      return unaryOf(syntax.operator, syntax.operand);
    case 'binary':
      return binaryOf(syntax.operator, typedOf(syntax.left), typedOf(syntax.right));
  }
}

function literal(type: Type, value: string | number): Typed {
  return { type, literal: goText(value), evaluate: () => value };
}

/** Names separated by dots; once there was an index, only indexes can follow. */
function pathOf(syntax: Syntax): readonly string[] {
  if (syntax.kind === 'name') {
    return [syntax.name];
  }
  if (syntax.kind !== 'selector') {
    throw new Refusal(`unsupported selector type: ${goNode(syntax)}`);
  }
  return [...pathOf(syntax.of), syntax.name];
}

/** Every name parses, even `true` and `false`; all but `claims` are errors at the join. */
function fieldOf([root = '', ...path]: readonly string[]): Typed {
  return {
    type: 'any',
    evaluate: (claims) => {
      if (root !== 'claims') {
        throw new Refusal(`identifier ${goQuoted(root)} is not defined`);
      }
      return fieldAt(claims, path);
    },
  };
}

/** @throws Refusal for an absent one */
export function fieldAt(claims: JsonObject, path: readonly string[]): Value {
  let field: Value = claims;
  for (const [index, key] of path.entries()) {
    const name = path.slice(0, index + 1).join('.');
    if (isSet(field) || !isObject(field)) {
      throw new Refusal(`field at ${goQuoted(name)} cannot have children`);
    }
    const child = memberOf(field, key);
    if (child === undefined) {
      throw new Refusal(`field not found: ${name}`);
    }
    field = child;
  }
  return field;
}

/** Unlike a field, an absent member is nil. */
function indexOf(map: Typed, key: Typed): Typed {
  const keyAt = within('parsing key of index expression', () => coerced(key, 'string', isString));
  if (map.type !== 'any') {
    throw new Refusal(`cannot take index of unexpected type\n\t${mismatch('map[string]string', map)}`);
  }
  return {
    type: 'any',
    evaluate: (claims) => {
      const name = within('evaluating key of index expression', () => keyAt(claims));
      const object = within('evaluating base of index expression', () => map.evaluate(claims));
      if (isSet(object) || !isObject(object)) {
        throw new Refusal(
          'cannot take index of unexpected type\n\texpected type map[string]interface {}, ' +
            'got expression returning type (interface {})',
        );
      }
      return memberOf(object, name) ?? null;
    },
  };
}

function unaryOf(operator: string, operand: Syntax): Typed {
  if (operator !== '!') {
    throw new Refusal(operator === '*' ? '*ast.StarExpr is not supported' : `${operator} is not supported`);
  }
  const value = within('parsing target of (!) operator', () => coerced(typedOf(operand), 'bool', isBoolean));
  return {
    type: 'bool',
    evaluate: (claims) => !within('evaluating target of (!) operator', () => value(claims)),
  };
}

function binaryOf(operator: string, left: Typed, right: Typed): Typed {
  switch (operator) {
    case '&&':
    case '||':
      return logical(operator, left, right);
    case '==':
    case '!=':
      return comparison(operator, left, right);
    default:
      throw new Refusal(`${operator} is not supported`);
  }
}

/** The right side is evaluated only if it decides. */
function logical(operator: '&&' | '||', left: Typed, right: Typed): Typed {
  const [lhs, rhs] = sides(operator, [left, right], 'bool', isBoolean);
  return {
    type: 'bool',
    evaluate: (claims) => (lhs(claims) === (operator === '||') ? operator === '||' : rhs(claims)),
  };
}

/** Only strings and integers, of which one side must be known to be one; JWTs have no integers, but floats. */
function comparison(operator: '==' | '!=', left: Typed, right: Typed): Typed {
  const known = left.type === 'any' ? right : left;
  const compare = (equal: boolean): boolean => equal === (operator === '==');
  switch (known.type) {
    case 'string': {
      const [lhs, rhs] = sides(operator, [left, right], 'string', isString);
      return { type: 'bool', evaluate: (claims) => compare(lhs(claims) === rhs(claims)) };
    }
    case 'int': {
      const isInteger = (value: Value): value is number => typeof value === 'number';
      const [lhs, rhs] = sides(operator, [left, right], 'int', isInteger);
      return { type: 'bool', evaluate: (claims) => compare(lhs(claims) === rhs(claims)) };
    }
    case 'any':
      throw new Refusal(
        `operator (${operator}) can only be used when at least one operand type is known at parse time`,
      );
    case 'bool':
    case 'float64':
    case 'set':
      throw new Refusal(`operator (${operator}) not supported for type: ${TYPE_NAMES[known.type]}`);
  }
}

type Evaluator<T> = (claims: JsonObject) => T;

function sides<T extends Value>(
  operator: string,
  [left, right]: readonly [Typed, Typed],
  type: Type,
  is: (value: Value) => value is T,
): readonly [Evaluator<T>, Evaluator<T>] {
  const side = (name: string, typed: Typed): Evaluator<T> => {
    const evaluate = within(`parsing ${name} of (${operator}) operator`, () => coerced(typed, type, is));
    return (claims) => within(`evaluating ${name} of (${operator}) operator`, () => evaluate(claims));
  };
  return [side('lhs', left), side('rhs', right)];
}

function callOf(callee: Syntax, args: readonly Syntax[]): Typed {
  if (callee.kind === 'name') {
    return calling(callee.name, functionNamed(FUNCTIONS, callee.name), args);
  }
  if (callee.kind !== 'selector') {
    throw new Refusal(`unknown function type ${goNode(callee)}`);
  }
  const { name, of: receiver } = callee;
  if (METHODS.has(name) || UNMODELLED.methods.has(name)) {
    return calling(name, functionNamed(METHODS, name), [receiver, ...args]);
  }
  if (receiver.kind !== 'name') {
    throw new Refusal(`expected selector identifier, got: ${goNode(receiver)}`);
  }
  const full = `${receiver.name}.${name}`;
  return calling(full, functionNamed(FUNCTIONS, full), args);
}

function functionNamed(known: ReadonlyMap<string, FunctionSpec>, name: string): FunctionSpec {
  const spec = known.get(name);
  if (spec !== undefined) {
    return spec;
  }
  if (UNMODELLED.functions.has(name) || UNMODELLED.methods.has(name)) {
    throw new NotModelled(`the function ${name} of expressions`);
  }
  throw new Refusal(`unsupported function: ${name}`);
}

const ORDINALS = ['first', 'second', 'third'];

function calling(name: string, { parameters, rest, result, call }: FunctionSpec, args: readonly Syntax[]): Typed {
  const typed = args.map(typedOf);
  if (rest === undefined ? typed.length !== parameters.length : typed.length < parameters.length) {
    const count = `${String(parameters.length)}${rest === undefined ? '' : ' or more'}`;
    const plural = count === '1' ? 'argument' : 'arguments';
    throw new Refusal(`function (${name}) accepts ${count} ${plural}, given ${String(typed.length)}`);
  }
  const which = (index: number): string => {
    if (index >= parameters.length) {
      return `argument ${String(index + 1)}`;
    }
    return parameters.length === 1 && rest === undefined ? 'argument' : `${ORDINALS[index] ?? ''} argument`;
  };
  const evaluators = typed.map((arg, index) => {
    const type = parameters[index] ?? rest ?? 'any';
    return within(`parsing ${which(index)} to function (${name})`, () => valueOf(arg, type));
  });
  return {
    type: result,
    evaluate: (claims) => {
      const values = evaluators.map((evaluate, index) =>
        within(`evaluating ${which(index)} to function (${name})`, () => evaluate(claims)),
      );
      return within(`evaluating function (${name})`, () => call(values));
    },
  };
}

function valueOf(typed: Typed, type: Type): Evaluator<Value> {
  switch (type) {
    case 'any':
      return typed.evaluate;
    case 'bool':
      return coerced(typed, type, isBoolean);
    case 'string':
      return coerced(typed, type, isString);
    case 'set':
      return coerced(typed, type, isSet);
    case 'int':
    case 'float64':
      throw new RangeError(`no function takes a ${type}`);
  }
}

/** The expression as one of the type: certain while parsing, or checked at the join. */
function coerced<T extends Value>(typed: Typed, type: Type, is: (value: Value) => value is T): Evaluator<T> {
  if (typed.type !== type && typed.type !== 'any') {
    throw new Refusal(mismatch(TYPE_NAMES[type], typed));
  }
  return (claims) => {
    const value = typed.evaluate(claims);
    // A number of a claim is a float64, which no integer of an expression is compared with.
    if (is(value) && !(type === 'int' && typed.type === 'any')) {
      return value;
    }
    if (value === null) {
      throw new GoPanic('runtime error: invalid memory address or nil pointer dereference');
    }
    const shown = isSet(value) ? `{${[...value].join(' ')}}` : goText(value);
    throw new Refusal(`expected type ${TYPE_NAMES[type]}, got value (${shown}) with type (${typeNameOf(value)})`);
  };
}

function mismatch(expected: string, { literal: text, type }: Typed): string {
  const got =
    text === undefined
      ? `got expression returning type (${TYPE_NAMES[type]})`
      : `got value (${text}) with type (${TYPE_NAMES[type]})`;
  return `expected type ${expected}, ${got}`;
}

function isBoolean(value: Value): value is boolean {
  return typeof value === 'boolean';
}

function isString(value: Value): value is string {
  return typeof value === 'string';
}

function goNode({ kind }: Syntax): string {
  const nodes: Readonly<Record<Syntax['kind'], string>> = {
    string: 'BasicLit',
    int: 'BasicLit',
    float: 'BasicLit',
    name: 'Ident',
    selector: 'SelectorExpr',
    index: 'IndexExpr',
    call: 'CallExpr',
    unary: 'UnaryExpr',
    binary: 'BinaryExpr',
  };
  return `*ast.${nodes[kind]}`;
}
