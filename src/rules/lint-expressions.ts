/** Lint rules about expressions, which Teleport does not parse before a job joins. */
import { KNOWN_CLAIMS } from './claim-names.ts';
import { type CompiledEntry, compiledEntries } from './constraints.ts';
import type { ClaimUse } from './expression.ts';
import { positionText } from './expression-failure.ts';
import { failureText } from './expression-rule.ts';
import { type Node, parseExpression } from './expression-syntax.ts';
import type { Found, LintRule } from './lint-rule.ts';
import type { JoinToken } from './resource.ts';

export const EXPRESSION_RULES: readonly LintRule[] = [
  {
    id: 'boolean-comparison',
    level: 'error',
    help: 'An expression compares with true or false, which is an error at every join.',
    check: (token) =>
      eachExpression(token, ({ at, source }) =>
        nodesIn(source)
          .filter(comparesBoolean)
          .map(({ from, to }) => ({
            at,
            message: `${quote(source.slice(from, to))} compares with true or false, which expressions do not have: an error at every join, and later entries are not tried`,
            hint: 'Write !claims["..."] for false, and claims["..."] alone for true, or use must_match_fields with an unquoted false or true.',
          })),
      ),
  },
  {
    id: 'expression-error',
    level: 'error',
    help: 'An expression has a syntax error or a type error: Teleport accepts it when the token is created, and every join that reaches it fails.',
    check: (token) =>
      eachExpression(token, (compiled) => {
        const { at, source } = compiled;
        const problem = staticProblem(compiled);
        if (problem === undefined || nodesIn(source).some(comparesBoolean)) return [];
        return [
          {
            at,
            message: `${problem}; Teleport accepts it when the token is created, and every join that reaches it fails`,
            hint: 'Correct the expression: Teleport knows &&, ||, !, ==, !=, and functions such as contains(set(claims["..."]), "...").',
          },
        ];
      }),
  },
  {
    id: 'expression-unchecked',
    level: 'note',
    help: 'An expression uses a function or a form that this program does not evaluate.',
    check: (token) =>
      eachExpression(token, ({ at, failure, source }) =>
        failure?.kind === 'unsupported'
          ? [
              {
                at,
                message: `the expression is not checked: ${failureText(failure, source)}`,
                hint: 'Test it with a real job.',
              },
            ]
          : [],
      ),
  },
  {
    id: 'bare-claim',
    level: 'error',
    help: 'An expression uses claims["..."] where a value is needed. If the claim is absent, that is a Go panic, which may stop the Auth Service.',
    check: (token) => eachUse(token, bareClaim),
  },
  {
    id: 'number-comparison',
    level: 'error',
    help: 'An expression compares a number of the token, which never equals anything.',
    check: (token) =>
      eachUse(token, ({ claim, needs }, at) =>
        needs === 'int' || (KNOWN_CLAIMS.get(claim)?.type === 'number' && needs === 'string')
          ? [
              {
                at,
                message: `${claim} is compared in an expression; a number of an OIDC token is a float there, so the comparison is an error at every join`,
                hint: 'Compare numbers with must_match_fields or a condition.',
              },
            ]
          : [],
      ),
  },
];

function bareClaim({ claim, form, needs }: ClaimUse, at: Found['at']): readonly Found[] {
  const known = KNOWN_CLAIMS.get(claim);
  if (form !== 'index' || needs === 'any' || known?.standard === true) return [];
  const replacement = needs === 'string' ? `contains(set(claims[${quote(claim)}]), "VALUE")` : `must_match_fields`;
  const always = known !== undefined && known.absentForWebhooks !== true;
  const who = always
    ? 'CircleCI documents it for every token; should it be absent'
    : known === undefined
      ? 'If it is absent'
      : 'Jobs of custom webhooks do not have it';
  return [
    {
      at,
      level: always ? 'note' : 'error',
      message: `claims[${quote(claim)}] is nil if the claim is absent, and this expression needs a value. ${who}: that is a Go panic, which may stop the Auth Service`,
      hint: `Use ${replacement} instead.`,
    },
  ];
}

/** What is wrong whatever the claims are: a name other than `claims` fails at the join only. */
function staticProblem({ failure, source }: CompiledEntry & { readonly source: string }): string | undefined {
  if (failure !== undefined) return failure.kind === 'unsupported' ? undefined : failureText(failure, source);
  const foreign = nodesIn(source).find(
    (node) => node.kind === 'name' && node.name !== 'claims' && !isCalled(node, source),
  );
  if (foreign === undefined) return undefined;
  const name = source.slice(foreign.from, foreign.to);
  return `error at ${positionText(source, foreign.from)}: ${quote(name)} is not defined; the claims are in claims["..."]`;
}

/** `contains` in `contains(...)`, or `strings` in `strings.lower(...)`. */
function isCalled({ to }: Node, source: string): boolean {
  return /^\s*(?:\(|\.\s*\w+\s*\()/.test(source.slice(to));
}

function comparesBoolean(node: Node): boolean {
  if (node.kind !== 'binary' || !['==', '!='].includes(node.operator)) return false;
  return [node.left, node.right].some((side) => side.kind === 'name' && ['true', 'false'].includes(side.name));
}

/** Every node; none if it cannot be parsed. */
function nodesIn(source: string): readonly Node[] {
  try {
    return withChildren(parseExpression(source));
  } catch {
    return []; // another rule reports it
  }
}

function withChildren(node: Node): readonly Node[] {
  return [node, ...childrenOf(node).flatMap(withChildren)];
}

function childrenOf(node: Node): readonly Node[] {
  switch (node.kind) {
    case 'text':
    case 'number':
    case 'name':
      return [];
    case 'member':
      return [node.of];
    case 'index':
      return [node.of, node.key];
    case 'call':
      return [node.callee, ...node.args];
    case 'unary':
      return [node.operand];
    case 'binary':
      return [node.left, node.right];
    default:
      return node satisfies never;
  }
}

function eachExpression(
  { genericOidc }: JoinToken,
  check: (compiled: CompiledEntry & { readonly source: string }) => readonly Found[],
): readonly Found[] {
  if (genericOidc === undefined) return [];
  return compiledEntries(genericOidc).flatMap(({ at, source, ...rest }) =>
    source === undefined ? [] : check({ ...rest, at: [...at, 'expression'], source }),
  );
}

/** Each claim once for each expression and need. */
export function eachUse(
  token: JoinToken,
  check: (use: ClaimUse, at: Found['at']) => readonly Found[],
): readonly Found[] {
  return eachExpression(token, ({ at, expression }) => {
    const uses = new Map((expression?.uses ?? []).map((use) => [`${use.form} ${use.needs} ${use.claim}`, use]));
    return [...uses.values()].flatMap((use) => check(use, at));
  });
}

function quote(text: string): string {
  return JSON.stringify(text);
}
