/** What is wrong with an orb's source, every fault at once. */
export class OrbSourceError extends Error {
  override readonly name = 'OrbSourceError';
  readonly faults: readonly string[];

  constructor(faults: readonly string[]) {
    super(`the orb cannot be packed:\n${faults.map((fault) => `  ${fault}`).join('\n')}`);
    this.faults = faults;
  }
}
