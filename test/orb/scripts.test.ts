import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { test } from 'node:test';
import { sourceFiles } from './source.ts';

const scripts = [...sourceFiles].filter(([path]) => path.endsWith('.sh'));

function check(program: string, options: readonly string[], text: string): { status: number | null; output: string } {
  const { status, stdout, stderr } = spawnSync(program, options, { input: text, encoding: 'utf8' });
  return { status, output: stdout + stderr };
}

/** A program that is missing is a gap on one's own machine and a fault in CI. */
function gap(program: string): string | false {
  const found = spawnSync('sh', ['-c', `command -v ${program}`]).status === 0;
  return found || process.env.CI === 'true' ? false : `${program} is not installed`;
}

for (const [path, text] of scripts) {
  for (const [program, ...options] of [
    ['bash', '-n'],
    ['dash', '-n'],
    ['shellcheck', '--shell=sh', '-'],
  ] as const) {
    test(`${program} finds no fault in ${path}`, { skip: gap(program) }, () => {
      assert.deepEqual(check(program, options, text), { status: 0, output: '' });
    });
  }
}

/** Each function of a script with the comment above it, by name. */
function functionsOf(text: string): ReadonlyMap<string, string> {
  const found = text.matchAll(/(?:^#.*\n)*^(\w+)\(\) (?:[{(]\n[^]*?^[})]|\{.*\})$/gm);
  return new Map([...found].map((match) => [match[1] ?? '', match[0]]));
}

// Each step is a text of its own, so that what two of them need stands in both.
test('a function that several scripts have is the same in all of them', () => {
  const seen = new Map<string, string>();
  let shared = 0;
  for (const [path, text] of scripts) {
    for (const [name, body] of functionsOf(text)) {
      const earlier = seen.get(name);
      if (earlier !== undefined) {
        assert.equal(body, earlier, `${name} in ${path}`);
        shared += 1;
      }
      seen.set(name, body);
    }
  }
  assert.ok(shared >= 6, `only ${shared} shared functions found`);
});
