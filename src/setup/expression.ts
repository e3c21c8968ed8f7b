/** CircleCI's expressions in configs: `<< parameters.x >>`, `<< pipeline.x >>`. */

/** Text in which `<<` begins no expression; the compiler takes the backslash away. */
export function escaped(text: string): string {
  return text.replaceAll('<<', String.raw`\<<`);
}
