/**
 * Compiles an expression as Teleport does at each join: types are checked first, then the expression is evaluated with the
 * claims (generic_oidc reference, "Traps"; lib/utils/typical/parser.go).
 */
import { ExpressionFailure } from './expression-failure.ts';
import { FUNCTIONS, METHODS, OTHER_FUNCTIONS, OTHER_METHODS, type Signature } from './expression-functions.ts';
import { type Node, parseExpression } from './expression-syntax.ts';
import { isSet, kindOf, type Type, type Value } from './expression-values.ts';
import { type Claims, isJsonObject, type Json, memberOf, shown } from './json.ts';

export interface Expression {
  readonly node: Node;
  /** The claims it reads, each where it reads it. */
  readonly uses: readonly ClaimUse[];
  /** @throws ExpressionFailure value, panic, unsupported */
  readonly holds: (claims: Claims) => boolean;
}

export interface ClaimUse {
  /** As in the claims; nested ones are joined with dots. */
  readonly claim: string;
  /** `claims["a"]` is nil for an absent claim, and `claims.a` is an error. */
  readonly form: 'index' | 'field';
  /** The type that the expression needs there. */
  readonly needs: Type;
  readonly node: Node;
}

/** @throws ExpressionFailure syntax, type, unsupported */
export function compileExpression(source: string): Expression {
  const node = parseExpression(source);
  const compiler = new Compiler();
  const holds = compiler.as('bool', compiler.term(node));
  return { node, uses: compiler.uses, holds: (claims) => holds(claims) === true };
}

type Evaluate = (claims: Claims) => Value;

interface Term {
  readonly node: Node;
  readonly type: Type;
  readonly evaluate: Evaluate;
  /** If it is just a claim. */
  readonly claim?: Pick<ClaimUse, 'claim' | 'form'>;
}

const TYPE_NAMES: Readonly<Record<Type, string>> = {
  string: 'a text',
  bool: 'true or false',
  int: 'an integer',
  float: 'a number',
  set: 'a set',
  any: 'anything',
};

class Compiler {
  readonly uses: ClaimUse[] = [];

  term(node: Node): Term {
    switch (node.kind) {
      case 'text':
        return { node, type: 'string', evaluate: () => node.value };
      case 'number':
        return { node, type: node.isInteger ? 'int' : 'float', evaluate: () => node.value };
      case 'name':
      case 'member':
        return fieldTerm(node);
      case 'index':
        return this.#index(node, node.of, node.key);
      case 'call':
        return this.#call(node, node.callee, node.args);
      case 'unary':
        return this.#not(node, node.operator, node.operand);
      case 'binary':
        return this.#binary(node, node.operator, [this.term(node.left), this.term(node.right)]);
      default:
        return node satisfies never;
    }
  }

  /** The term as a value of the type: certain now, or checked when the claims are known. */
  as(type: Type, { claim, evaluate, node, type: own }: Term): Evaluate {
    if (claim !== undefined) this.uses.push({ ...claim, needs: type, node });
    if (type === 'any' || own === type) return evaluate;
    if (own !== 'any') throw typeFailure(`expected ${TYPE_NAMES[type]}, got ${TYPE_NAMES[own]}`, node);
    return (claims) => {
      const value = evaluate(claims);
      if (hasType(value, type)) return value;
      throw value === null
        ? new ExpressionFailure('panic', 'nil where a value is needed', node.from)
        : valueFailure(
            `expected ${TYPE_NAMES[type]}, got ${kindOf(value)}${isSet(value) ? '' : ` ${shown(value)}`}`,
            node,
          );
    };
  }

  #index(node: Node, of: Node, key: Node): Term {
    const map = this.term(of);
    const keyTerm = this.term(key);
    const keyOf = this.as('string', keyTerm);
    if (map.type !== 'any') throw typeFailure(`${TYPE_NAMES[map.type]} has no members`, node);
    const evaluate: Evaluate = (claims) => {
      const name = keyOf(claims);
      const object = map.evaluate(claims);
      if (isSet(object) || !isJsonObject(object)) throw valueFailure(`${kindOf(object)} has no members`, of);
      return typeof name === 'string' ? (memberOf(object, name) ?? null) : null;
    };
    const parent = map.claim?.claim ?? (of.kind === 'name' && of.name === ROOT ? '' : undefined);
    if (parent === undefined || key.kind !== 'text') return { node, type: 'any', evaluate };
    return { node, type: 'any', evaluate, claim: { claim: joined(parent, key.value), form: 'index' } };
  }

  #not(node: Node, operator: string, operand: Node): Term {
    if (operator !== '!') throw typeFailure(`the operator ${operator} is not supported`, node);
    const value = this.as('bool', this.term(operand));
    return { node, type: 'bool', evaluate: (claims) => value(claims) !== true };
  }

  #binary(node: Node, operator: string, [left, right]: readonly [Term, Term]): Term {
    if (operator === '&&' || operator === '||') {
      const [one, other] = [this.as('bool', left), this.as('bool', right)];
      // The right side is evaluated only if the left one does not decide.
      const decides = operator === '||';
      return { node, type: 'bool', evaluate: (claims) => (one(claims) === decides ? decides : other(claims)) };
    }
    if (operator !== '==' && operator !== '!=') throw typeFailure(`the operator ${operator} is not supported`, node);
    const type = left.type === 'any' ? right.type : left.type;
    if (type === 'any') throw typeFailure(`${operator} needs a text on one side, such as "x"`, node);
    if (type !== 'string' && type !== 'int')
      throw typeFailure(`${operator} does not compare ${TYPE_NAMES[type]}`, node);
    const [one, other] = [this.as(type, left), this.as(type, right)];
    return { node, type: 'bool', evaluate: (claims) => (one(claims) === other(claims)) === (operator === '==') };
  }

  #call(node: Node, callee: Node, args: readonly Node[]): Term {
    if (callee.kind === 'name') return this.#apply(node, callee.name, functionNamed(callee.name, callee), args);
    if (callee.kind !== 'member') throw typeFailure('only functions and methods can be called', callee);
    const { name, of: receiver } = callee;
    const method = METHODS.get(name);
    if (method !== undefined) return this.#apply(node, name, method, [receiver, ...args]);
    if (OTHER_METHODS.has(name)) throw unsupported(name, callee);
    if (receiver.kind !== 'name') throw typeFailure(`there is no method ${name}`, callee);
    const full = `${receiver.name}.${name}`;
    return this.#apply(node, full, functionNamed(full, callee), args);
  }

  #apply(node: Node, name: string, { apply, gives, more, takes }: Signature, args: readonly Node[]): Term {
    const terms = args.map((arg) => this.term(arg));
    if (more === undefined ? args.length !== takes.length : args.length < takes.length) {
      throw typeFailure(`${name} takes ${takes.length} arguments, not ${args.length}`, node);
    }
    const values = terms.map((term, at) => this.as(takes[at] ?? more ?? 'any', term));
    const evaluate: Evaluate = (claims) => {
      const result = apply(values.map((value) => value(claims)));
      if ('problem' in result) throw new ExpressionFailure(result.kind, result.problem, node.from);
      return result.value;
    };
    return { node, type: gives, evaluate };
  }
}

const ROOT = 'claims';

/** Every name is an expression, even `true`; any but `claims` is an error at the join. */
function fieldTerm(node: Node): Term {
  const [root = '', ...path] = pathOf(node);
  const evaluate: Evaluate = (claims) => {
    if (root !== ROOT) throw valueFailure(`identifier "${root}" is not defined`, node);
    const found = fieldAt(claims, path);
    if ('problem' in found) throw valueFailure(found.problem, node);
    return found.value;
  };
  if (root !== ROOT || path.length === 0) return { node, type: 'any', evaluate };
  return { node, type: 'any', evaluate, claim: { claim: path.join('.'), form: 'field' } };
}

function pathOf(node: Node): readonly string[] {
  if (node.kind === 'name') return [node.name];
  if (node.kind === 'member') return [...pathOf(node.of), node.name];
  throw typeFailure('a name after a dot can only follow names; use an index: ["name"]', node);
}

/** The field that names separated by dots lead to. */
export function fieldAt(
  claims: Claims,
  path: readonly string[],
): { readonly value: Json } | { readonly problem: string } {
  let value: Json = claims;
  for (const [at, name] of path.entries()) {
    if (!isJsonObject(value)) return { problem: `field at "${path.slice(0, at + 1).join('.')}" cannot have children` };
    const member = memberOf(value, name);
    if (member === undefined) return { problem: `field not found: ${path.slice(0, at + 1).join('.')}` };
    value = member;
  }
  return { value };
}

function joined(parent: string, name: string): string {
  return parent === '' ? name : `${parent}.${name}`;
}

function functionNamed(name: string, node: Node): Signature {
  const signature = FUNCTIONS.get(name);
  if (signature !== undefined) return signature;
  throw OTHER_FUNCTIONS.has(name) || OTHER_METHODS.has(name)
    ? unsupported(name, node)
    : typeFailure(`there is no function ${name}`, node);
}

/** The number of a claim is a float, which is never an integer. */
function hasType(value: Value, type: Type): boolean {
  switch (type) {
    case 'string':
      return typeof value === 'string';
    case 'bool':
      return typeof value === 'boolean';
    case 'set':
      return isSet(value);
    case 'int':
    case 'float':
      return false;
    case 'any':
      return true;
    default:
      return type satisfies never;
  }
}

function typeFailure(message: string, { from }: Node): ExpressionFailure {
  return new ExpressionFailure('type', message, from);
}

function valueFailure(message: string, { from }: Node): ExpressionFailure {
  return new ExpressionFailure('value', message, from);
}

function unsupported(name: string, { from }: Node): ExpressionFailure {
  return new ExpressionFailure('unsupported', `${name} is a function that is not evaluated here`, from);
}
