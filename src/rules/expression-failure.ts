/** Why an expression of a rule has no value. Thrown and caught within this folder. */

export type FailureKind =
  /** Not an expression: Teleport accepts it when the token is created, and fails at every join. */
  | 'syntax'
  /** An operator or a function with operands of the wrong type: fails at every join too. */
  | 'type'
  /** An error with the claims of this job, which refuses the join at once. */
  | 'value'
  /** Nil where a value of a known type is needed: a Go panic in the Auth Service. */
  | 'panic'
  /** Teleport may evaluate it, this program does not. */
  | 'unsupported';

export class ExpressionFailure extends Error {
  readonly kind: FailureKind;
  /** In the text of the expression, in UTF-16 units. */
  readonly offset: number;

  constructor(kind: FailureKind, message: string, offset: number) {
    super(message);
    this.kind = kind;
    this.offset = offset;
  }
}

/** `2:14`: line and column of the expression, each from 1. */
export function positionText(text: string, offset: number): string {
  const before = text.slice(0, offset).split('\n');
  return `${before.length}:${(before.at(-1) ?? '').length + 1}`;
}
