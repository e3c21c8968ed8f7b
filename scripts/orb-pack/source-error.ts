/** All problems of an orb's sources. */
export class OrbSourceError extends Error {
  override readonly name = 'OrbSourceError';
  readonly problems: readonly string[];

  constructor(problems: readonly string[]) {
    super(`the orb cannot be packed:\n${problems.map((problem) => `  ${problem}`).join('\n')}`);
    this.problems = problems;
  }
}
