import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { test } from 'node:test';
import { parse } from 'yaml';
import { z } from 'zod';
import { schemaChecker, schemaMissing } from '../circleci-schema.ts';
import { exampleConfigs } from './examples.ts';
import { readSourceTree } from '../../scripts/orb-pack/source-tree.ts';
import { delegating, VARIANTS, variantSources } from '../../scripts/orb-pack/variants.ts';
import { packedWith, sourceFiles } from './source.ts';

const skip = schemaMissing ?? false;

test("orb, examples and the project's own pipeline follow CircleCI's schema", { skip }, async (context) => {
  const faultsOf = await schemaChecker();
  const documents = new Map([
    ['.circleci/config.yml', await readFile('.circleci/config.yml', 'utf8')],
    ['.circleci/test-deploy.yml', await readFile('.circleci/test-deploy.yml', 'utf8')],
    ...exampleConfigs,
  ]);
  for (const [name, text] of documents) {
    await context.test(name, () => {
      assert.deepEqual(faultsOf(text), []);
    });
  }
  const embedded = await readSourceTree('orb-embedded');
  for (const variant of VARIANTS) {
    const packed = packedWith('the script', undefined, variantSources(variant, sourceFiles, embedded));
    const orb = variant === 'delegating' ? delegating(packed) : packed;
    for (const at of [0, -1]) {
      await context.test(`packed orb ${variant}, with the ${at === 0 ? 'first' : 'last'} value of each enum`, () => {
        assert.deepEqual(faultsOf(withEnumValues(orb, at)), []);
      });
    }
  }
  await context.test('a command without steps does not', () => {
    assert.notDeepEqual(faultsOf('{ version: 2.1, commands: { c: { description: x } } }'), []);
  });
});

const Commands = z.record(z.string(), z.looseObject({ parameters: z.unknown() }));
const Inside = z.looseObject({ commands: Commands });
const Orb = z.looseObject({ commands: Commands, orbs: z.record(z.string(), Inside).optional() });
const Parameters = z.record(z.string(), z.looseObject({ type: z.string(), enum: z.array(z.string()).optional() }));

/** The schema knows no parameters where it wants one of a few words; CircleCI puts in the value first. */
function withEnumValues(packed: string, at: number): string {
  const { orbs = {}, commands, ...orb } = Orb.parse(parse(packed));
  const inside = Object.entries(orbs).map(([name, one]) => [
    name,
    { ...one, commands: commandsWithValues(one.commands, at) },
  ]);
  return JSON.stringify({ ...orb, orbs: Object.fromEntries(inside), commands: commandsWithValues(commands, at) });
}

function commandsWithValues(commands: z.infer<typeof Commands>, at: number): object {
  const filled = Object.entries(commands).map(([name, command]) => {
    let text = JSON.stringify(command);
    for (const [parameter, { enum: values }] of Object.entries(Parameters.parse(command.parameters ?? {}))) {
      const value = values?.at(at);
      if (value !== undefined) text = text.replaceAll(`"<< parameters.${parameter} >>"`, JSON.stringify(value));
    }
    return [name, z.unknown().parse(JSON.parse(text))] as const;
  });
  return Object.fromEntries(filled);
}
