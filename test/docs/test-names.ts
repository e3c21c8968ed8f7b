/** The names of the tests in a file, for lists of what is tested. */
import { readFileSync } from 'node:fs';

/** `…` stands for what is put in for each case. */
export function testNamesIn(path: string): readonly string[] {
  const calls = readFileSync(path, 'utf8').matchAll(/\b(?:test|fuzz)\(\s*(?:(['"])(.*?)\1|`(.*?)`),/gs);
  return [...calls].map(
    ([, , plain = '', template = '']) => plain + template.replaceAll(/\$\{(?:[^{}]|\{[^{}]*\})*\}/g, '…'),
  );
}
