import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import test from 'node:test';
import { documents } from './documents.ts';
import { links } from './markdown.ts';

const MAPS = ['llms.txt', 'docs/README.md'];

for (const map of MAPS) {
  const targets = links(readFileSync(map, 'utf8'))
    .filter((target) => !/^[a-z]+:/.test(target))
    .map((target) => join(dirname(map), target.replace(/#.*/, '')));

  test(`${map} leads to documents that exist`, () => {
    assert.deepEqual(
      targets.filter((path) => !existsSync(path)),
      [],
    );
  });

  test(`${map} leads to every document in docs/`, () => {
    const below = [...documents.keys()].filter((path) => path.startsWith('docs/') && path !== 'docs/README.md');
    assert.deepEqual(
      below.filter((path) => !targets.includes(path)),
      [],
    );
  });
}

test('llms.txt begins as llmstxt.org asks: a title, a summary, then sections of links', () => {
  const text = readFileSync('llms.txt', 'utf8');
  assert.match(text, /^# .+\n\n> .+\n\n/);
  const sections = text.split(/^## .+\n\n/m).slice(1);
  assert.ok(sections.length >= 4);
  for (const section of sections) {
    for (const line of section.trim().split('\n')) assert.match(line, /^- \[.+\]\(\S+\)(?:: .+)?$/);
  }
});

test('the README is short enough to read', () => {
  assert.ok(readFileSync('README.md', 'utf8').trimEnd().split('\n').length <= 150);
});
