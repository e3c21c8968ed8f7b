import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { test } from 'node:test';
import { Ajv } from 'ajv';
import type { AnySchemaObject } from 'ajv';
import { parse } from 'yaml';
import { z } from 'zod';
import { exampleConfigs } from './examples.ts';
import { packedWith } from './source.ts';

/** CircleCI's schema is others' text and not in this repository. */
const schemaPath = process.env.CIRCLECI_SCHEMA ?? '';
const missing = schemaPath === '' && process.env.CI !== 'true' && 'CIRCLECI_SCHEMA names no schema file';

test("orb, examples and the project's own pipeline follow CircleCI's schema", { skip: missing }, async (context) => {
  assert.notEqual(schemaPath, '', 'CIRCLECI_SCHEMA must name the schema file in CI');
  const schema: AnySchemaObject = z
    .record(z.string(), z.unknown())
    .parse(JSON.parse(await readFile(schemaPath, 'utf8')));
  const formats = { uri: (text: string) => URL.canParse(text) };
  const validate = new Ajv({ strict: false, allErrors: true, formats }).compile(schema);
  const documents = new Map([
    ['packed orb', packedWith('the script')],
    ['.circleci/config.yml', await readFile('.circleci/config.yml', 'utf8')],
    ['.circleci/test-deploy.yml', await readFile('.circleci/test-deploy.yml', 'utf8')],
    ...exampleConfigs,
  ]);
  for (const [name, text] of documents) {
    await context.test(name, () => {
      validate(parse(text, { version: '1.1' }));
      assert.deepEqual(validate.errors ?? [], []);
    });
  }
  await context.test('a command without steps does not', () => {
    assert.equal(validate({ version: 2.1, commands: { c: { description: 'x' } } }), false);
  });
});
