/** What an expression says about a job, also part by part. */
import { compileExpression } from './expression.ts';
import { ExpressionFailure, type FailureKind, positionText } from './expression-failure.ts';
import type { Node } from './expression-syntax.ts';
import { type Claims, memberOf, shown } from './json.ts';
import type { ClaimCheck, Outcome } from './verdict.ts';

interface Evaluated {
  readonly outcome: Outcome;
  /** The error, with its position. */
  readonly problem?: string;
}

const OUTCOMES: Readonly<Record<FailureKind, Outcome>> = {
  syntax: 'fails',
  type: 'fails',
  value: 'fails',
  panic: 'panics',
  unsupported: 'unknown',
};

export function evaluateExpression(source: string, claims: Claims): Evaluated {
  try {
    return { outcome: compileExpression(source).holds(claims) ? 'matches' : 'differs' };
  } catch (error) {
    if (!(error instanceof ExpressionFailure)) throw error;
    return { outcome: OUTCOMES[error.kind], problem: failureText(error, source) };
  }
}

/** With the line and column in the expression, unless the claims are the reason. */
export function failureText({ kind, message, offset }: ExpressionFailure, source: string): string {
  const at = positionText(source, offset);
  switch (kind) {
    case 'syntax':
      return `syntax error at ${at}: ${message}`;
    case 'type':
      return `error at ${at}: ${message}`;
    case 'value':
      return `error: ${message}`;
    case 'panic':
      return `a panic in the Auth Service: ${message}`;
    case 'unsupported':
      return `${at}: ${message}`;
    default:
      return kind satisfies never;
  }
}

/** One check for each part that `&&` joins; one for the whole if it cannot be compiled. */
export function checkExpression(source: string, claims: Claims): readonly ClaimCheck[] {
  return partsOf(source).map((part) => {
    const { outcome, problem } = evaluateExpression(part, claims);
    const expected = part.replace(/\s+/g, ' ').trim();
    if (outcome === 'matches') return { outcome, expected, actual: '' };
    const actual = [...(problem === undefined ? [] : [problem]), ...claimsOf(part, claims)].join('; ');
    return { outcome, expected, actual: actual === '' ? 'it is false' : actual };
  });
}

function partsOf(source: string): readonly string[] {
  try {
    return conjuncts(compileExpression(source).node).map(({ from, to }) => source.slice(from, to));
  } catch {
    return [source]; // evaluating the whole gives the error
  }
}

function conjuncts(node: Node): readonly Node[] {
  return node.kind === 'binary' && node.operator === '&&'
    ? [...conjuncts(node.left), ...conjuncts(node.right)]
    : [node];
}

/** What the job has of the claims that the part reads. */
function claimsOf(part: string, claims: Claims): readonly string[] {
  try {
    const names = compileExpression(part).uses.map(({ claim }) => claim);
    return [...new Set(names)].map((name) => `the job's ${name} is ${shown(memberOf(claims, name))}`);
  } catch {
    return []; // the error is shown instead
  }
}
