/** What a token decides about a job: which rule admits it, or what rejects it and how close it was. */

/** What a rule says about a job. */
export type Outcome =
  | 'matches'
  | 'differs'
  /** An error with this job's claims, which refuses the join at once. */
  | 'fails'
  /** A Go panic, which may stop the Auth Service. */
  | 'panics'
  /** Teleport may decide it, this program cannot. */
  | 'unknown';

/** One claim, as a rule needs it and as the job has it. */
export interface ClaimCheck {
  readonly outcome: Outcome;
  /** What is needed: `oidc.circleci.com/vcs-ref is "refs/heads/main"`. */
  readonly expected: string;
  /** What the job has instead, or the error; empty for a match. */
  readonly actual: string;
}

export interface RuleVerdict {
  /** `must_match_fields`, `allow_any[0]` or `allow[0]`: the path in the settings of the join method. */
  readonly path: string;
  readonly line: number | undefined;
  readonly outcome: Outcome;
  readonly checks: readonly ClaimCheck[];
}

export interface Verdict {
  readonly outcome: 'admitted' | 'rejected' | 'unknown';
  /** Rules up to the one that decides; all of them if none admits the job. */
  readonly rules: readonly RuleVerdict[];
  /** What decides: `allow_any[0] admits it`. */
  readonly reason: string;
  /** Whether Auth panics on the way. */
  readonly panics: boolean;
}

/** Of checks that must all hold, the first that does not decides. */
export function outcomeOfAll(checks: readonly ClaimCheck[]): Outcome {
  return checks.find(({ outcome }) => outcome !== 'matches')?.outcome ?? 'matches';
}

/** `2 of 3 match`. */
export function closeness(checks: readonly ClaimCheck[]): string {
  return `${checks.filter(({ outcome }) => outcome === 'matches').length} of ${checks.length} match`;
}
