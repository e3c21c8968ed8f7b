import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import test from 'node:test';
import { parse } from 'yaml';
import { z } from 'zod';
import { referenceDocuments } from '../../scripts/documents/reference.ts';
import { VARIABLES } from '../../src/commands/exports.ts';
import { SETTINGS } from '../../src/config/settings.ts';
import { OUTPUT_TYPES } from '../../src/outputs/outputs.ts';
import { COMMANDS } from '../../src/command-table.ts';
import { textOf } from './documents.ts';
import { sections } from './markdown.ts';

for (const [path, expected] of await referenceDocuments()) {
  test(`${path} is what "npm run generate" writes`, () => {
    assert.equal(textOf(path), expected);
  });
}

/** The text of a section, up to the next heading. */
function section(path: string, heading: string): string {
  const found = sections(textOf(path)).find((one) => one.heading.replaceAll('`', '') === heading);
  assert.ok(found !== undefined, `${path} has no section "${heading}"`);
  return found.text;
}

function names(text: string, codes: readonly string[], place: string): void {
  for (const code of codes) assert.ok(text.includes(`\`${code}`), `${place} does not name ${code}`);
}

test('the reference of the commands has every command and every flag', async () => {
  for (const { flags, name } of COMMANDS) {
    const text = section('docs/reference/cli.md', name);
    const own = (await flags()).map((flag) => `--${flag.name}`);
    // A page that refers to those of "run" names only the others.
    if (text.includes('All flags of [`run`](#run)')) continue;
    names(text, own, name);
  }
});

test('the reference of the orb has every command, job and executor with every parameter', () => {
  for (const folder of ['commands', 'jobs', 'executors']) {
    for (const file of readdirSync(join('orb', folder))) {
      const { parameters = {} } = z
        .object({ parameters: z.record(z.string(), z.unknown()).optional() })
        .parse(parse(readFileSync(join('orb', folder, file), 'utf8')));
      const name = basename(file, '.yml');
      const heading = sections(textOf('docs/reference/orb.md')).find((one) =>
        one.heading.split(/[\s`]/).includes(name),
      )?.heading;
      assert.ok(heading !== undefined, `orb.md has no section for ${folder}/${file}`);
      names(section('docs/reference/orb.md', heading.replaceAll('`', '')), Object.keys(parameters), file);
    }
  }
});

test('the reference has every key of the file, every output with its keys, and every exported variable', () => {
  const keys = Object.values(SETTINGS).flatMap((one) => ('file' in one ? [one.file] : []));
  names(textOf('docs/reference/tbot-yaml.md'), keys, 'tbot-yaml.md');
  for (const [type, { keys: own }] of Object.entries(OUTPUT_TYPES)) {
    const text = textOf('docs/reference/outputs.md');
    assert.ok(
      sections(text).some(({ heading }) => heading.split(/[\s`,]+/).includes(type)),
      `outputs.md: ${type}`,
    );
    names(
      text,
      own.list.map(({ key }) => key),
      type,
    );
  }
  names(textOf('docs/reference/exports.md'), Object.keys(VARIABLES), 'exports.md');
});
