/** Which claims a generic_oidc token compares, for each way in which it can admit a job. */
import type { Path } from '../schema/yaml/tree.ts';
import { compileExpression, type Expression } from './expression.ts';
import { ExpressionFailure } from './expression-failure.ts';
import type { Node } from './expression-syntax.ts';
import type { AllowEntry } from './generic-oidc.ts';
import type { GenericOidc } from './resource.ts';

const AT = ['spec', 'generic_oidc'] as const;

/** One way to be admitted: all of its claims are compared. */
export interface Way {
  readonly at: Path;
  readonly claims: ReadonlySet<string>;
}

/** An entry of `allow_any`, with its expression compiled. */
export interface CompiledEntry {
  readonly at: Path;
  readonly entry: AllowEntry;
  /** Undefined for conditions. */
  readonly source: string | undefined;
  /** Undefined if it cannot be compiled, or for conditions. */
  readonly expression: Expression | undefined;
  readonly failure: ExpressionFailure | undefined;
}

export function compiledEntries({ allowAny }: GenericOidc): readonly CompiledEntry[] {
  return allowAny.map((entry, index): CompiledEntry => {
    const at = [...AT, 'allow_any', index];
    if (!('expression' in entry)) return { at, entry, source: undefined, expression: undefined, failure: undefined };
    const source = entry.expression;
    try {
      return { at, entry, source, expression: compileExpression(source), failure: undefined };
    } catch (failure) {
      if (!(failure instanceof ExpressionFailure)) throw failure;
      return { at, entry, source, expression: undefined, failure };
    }
  });
}

/** Leaves out expressions that cannot be compiled: they admit no job. */
export function waysIn(token: GenericOidc): readonly Way[] {
  const fields = Object.keys(token.mustMatchFields);
  if (token.allowAny.length === 0) {
    return fields.length === 0 ? [] : [{ at: [...AT, 'must_match_fields'], claims: new Set(fields) }];
  }
  return compiledEntries(token).flatMap(({ at, entry, expression }): readonly Way[] => {
    const alternatives =
      'conditions' in entry
        ? [entry.conditions.map(({ attribute }) => attribute)]
        : expression === undefined
          ? []
          : alternativesOf(expression);
    return alternatives.map((claims) => ({ at, claims: new Set([...fields, ...claims]) }));
  });
}

const MAX_ALTERNATIVES = 64;

function alternativesOf({ node, uses }: Expression): readonly (readonly string[])[] {
  const claimsIn = ({ from, to }: Node) =>
    uses.filter((use) => use.node.from >= from && use.node.to <= to).map(({ claim }) => claim);
  const of = (one: Node): readonly (readonly string[])[] => {
    if (one.kind !== 'binary') return [claimsIn(one)];
    if (one.operator === '||') return [...of(one.left), ...of(one.right)].slice(0, MAX_ALTERNATIVES);
    if (one.operator !== '&&') return [claimsIn(one)];
    const right = of(one.right);
    return of(one.left)
      .flatMap((left) => right.map((other) => [...left, ...other]))
      .slice(0, MAX_ALTERNATIVES);
  };
  return of(node);
}
