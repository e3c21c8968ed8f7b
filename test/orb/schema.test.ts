import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { test } from 'node:test';
import { parse } from 'yaml';
import { z } from 'zod';
import { schemaChecker, schemaMissing } from '../circleci-schema.ts';
import { exampleConfigs } from './examples.ts';
import { readSourceFile } from '../../scripts/orb-pack/source-tree.ts';
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
  const embedded = await readSourceFile('scripts/orb-pack/embedded.yml');
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

const Components = z.record(z.string(), z.looseObject({ parameters: z.unknown() })).default({});
const Inside = z.looseObject({ commands: Components, jobs: Components, executors: Components });
const Orb = Inside.extend({ orbs: z.record(z.string(), Inside).optional() });
const Parameters = z.record(
  z.string(),
  z.looseObject({ type: z.string(), enum: z.array(z.string()).optional(), default: z.unknown().optional() }),
);
/** The schema takes no parameter as the value of these, though orbs that CircleCI certifies have them. */
const SETTINGS = ['resource_class', 'circleci_ip_ranges', 'parallelism', 'no_output_timeout'];

/** The schema knows no parameters where it wants one of a few words; CircleCI puts in the value first. */
function withEnumValues(packed: string, at: number): string {
  const { orbs = {}, ...orb } = Orb.parse(parse(packed));
  const inside = Object.entries(orbs).map(([name, one]) => [name, filled(one, at)] as const);
  return JSON.stringify({ ...filled(orb, at), orbs: Object.fromEntries(inside) });
}

function filled(orb: z.infer<typeof Inside>, at: number): object {
  const of = (components: z.infer<typeof Components>) =>
    Object.fromEntries(Object.entries(components).map(([name, component]) => [name, withValues(component, at)]));
  return { ...orb, commands: of(orb.commands), jobs: of(orb.jobs), executors: of(orb.executors) };
}

function withValues(component: { readonly parameters?: unknown }, at: number): unknown {
  let text = JSON.stringify(component);
  for (const [name, { enum: values, default: usual }] of Object.entries(Parameters.parse(component.parameters ?? {}))) {
    const value = SETTINGS.includes(name) ? usual : values?.at(at);
    if (value !== undefined) text = text.replaceAll(`"<< parameters.${name} >>"`, JSON.stringify(value));
  }
  return JSON.parse(text);
}
