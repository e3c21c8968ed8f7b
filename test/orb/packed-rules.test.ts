import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { parse } from 'yaml';
import { mapping } from '../job-runner/mapping.ts';
import type { Mapping } from '../job-runner/mapping.ts';
import { checkPacked, usesOf } from './packed-rules.ts';
import { packedWith } from './source.ts';

const packed = packedWith(readFileSync('dist/machine-id.cjs'));

function orb(text: string): Mapping {
  return mapping(parse(text), 'orb');
}

test('the packed orb follows the rules that the schema does not check', () => {
  assert.deepEqual(checkPacked(orb(packed)), []);
});

test('the packed orb stays small', (context) => {
  const size = Buffer.byteLength(packed);
  context.diagnostic(`packed orb: ${size} bytes`);
  for (const [name, command] of Object.entries(mapping(orb(packed).commands, 'commands'))) {
    for (const { size, embedded } of usesOf(mapping(command, name).steps)) {
      context.diagnostic(`a use of ${name}${embedded ? ', embedded' : ''}: ${size} bytes`);
    }
  }
  assert.ok(size < 530_000);
});

function command(parameters: string, steps: string): string {
  return `commands: { c: { parameters: ${parameters}, steps: ${steps} }, d: { steps: [checkout] } }`;
}

const RUN = 'run: { name: n, command: x, environment: { P: << parameters.p >> }';

const broken: readonly (readonly [finding: string, orb: string])[] = [
  ['orb: unknown key command', 'command: {}'],
  ['display: unknown key url', 'display: { url: x }'],
  ['commands.c.steps.0.run: unknown key comand', command('{}', '[run: { name: n, comand: x }]')],
  ['commands.c.steps.0.run.name: p is not declared', command('{}', '[run: { name: << parameters.p >>, command: x }]')],
  ['commands.c.parameters.p: never used', command('{ p: { type: string, description: x } }', '[checkout]')],
  ['commands.c.parameters.p: has no description', command('{ p: { type: string } }', `[${RUN} }]`)],
  ['commands.c.parameters.p: enum without a list', command('{ p: { type: enum, description: x } }', `[${RUN} }]`)],
  [
    'commands.c.parameters.p: default not in enum',
    command('{ p: { type: enum, enum: [a], default: b, description: x } }', `[${RUN} }]`),
  ],
  [
    'commands.c.parameters.p: default is no boolean',
    command('{ p: { type: boolean, default: "true", description: x } }', `[${RUN} }]`),
  ],
  [
    'commands.c.parameters.p: default is no string',
    command('{ p: { type: string, default: 1, description: x } }', `[${RUN} }]`),
  ],
  [
    'commands.c.parameters.p: default is no integer',
    command('{ p: { type: integer, default: x, description: x } }', `[${RUN} }]`),
  ],
  [
    "commands.c.steps.0.run: a parameter in the command's text",
    command('{ p: { type: string, description: x } }', '[run: { name: n, command: "echo << parameters.p >>" }]'),
  ],
  ['commands.c.steps.0.run.command: bare <<', command('{}', '[run: { name: n, command: "cat <<EOF" }]')],
  ['commands.c: there is no command nope', command('{}', '[nope]')],
  ['commands.c.when: there is no command nope', command('{}', '[when: { condition: true, steps: [nope] }]')],
  ['commands.c.d: unknown key x', command('{}', '[d: { x: 1 }]')],
  [
    'commands.c.steps.0.run.command: 8000 characters',
    command('{}', `[run: { name: n, command: ${'x'.repeat(8000)} }]`),
  ],
  [
    'commands.c: 24088 bytes at each use, more than 23000',
    command(
      '{}',
      `[${[7990, 7995, 7995].map((length) => `run: { name: n, command: ${'x'.repeat(length)} }`).join(', ')}]`,
    ),
  ],
];

const STEPS = [
  ['run', 'checkout', 'deploy', 'when', 'unless', 'steps', 'save_cache', 'restore_cache', 'store_artifacts'],
  ['store_test_results', 'persist_to_workspace', 'attach_workspace', 'add_ssh_keys', 'setup_remote_docker'],
  ['install_signing_bundle'],
].flat();

test('a command with the name of any built-in step is found', () => {
  for (const name of STEPS) {
    const text = `commands: { ${name}: { steps: [d] }, d: { steps: [c/x] } }`;
    assert.deepEqual(checkPacked(orb(text)), [`commands.${name}: hides CircleCI's own step ${name}`]);
  }
});

test('a parameter that CircleCI rejects is found, in a job also each that its calls accept', () => {
  const text = (kind: string, name: string) =>
    `${kind}: { c: { parameters: { ${name}: { type: string, description: x } }, steps: [checkout: { path: << parameters.${name} >> }] } }`;
  const findings = (kind: string, names: readonly string[]) =>
    names.flatMap((name) => checkPacked(orb(text(kind, name))).filter((one) => one.includes('takes no parameter')));
  const all = ['name', 'type', 'filters', 'matrix', 'requires', 'context', 'pre-steps', 'post-steps'];
  assert.equal(findings('jobs', all).length, all.length);
  assert.deepEqual(findings('commands', ['name']), [
    'commands.c.parameters.name: CircleCI takes no parameter of this name',
  ]);
  assert.deepEqual(findings('commands', all.slice(1)), []);
});

for (const [finding, text] of broken) {
  test(`the check of the packed orb finds: ${finding}`, () => {
    assert.deepEqual(checkPacked(orb(text)), [finding]);
  });
}
