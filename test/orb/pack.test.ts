import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parse } from 'yaml';
import { packOrb } from '../../scripts/orb-pack/pack.ts';
import { OrbSourceError } from '../../scripts/orb-pack/source-error.ts';
import { textAt } from './walk.ts';

const ORB = 'version: 2.1\ndescription: d\n';

function files(entries: Readonly<Record<string, string>>): ReadonlyMap<string, string> {
  return new Map(Object.entries({ '@orb.yml': ORB, ...entries }));
}

const COMMAND = 'steps:\n  - run:\n      name: x\n      command: <<include(scripts/x.sh)>>\n';

test('a component has the name of its file, in the section of its directory', () => {
  const packed = packOrb(
    files({
      'commands/b.yml': 'steps: [checkout]',
      'commands/a.yml': 'steps: [checkout]',
      'executors/e.yml': 'machine: true',
      'examples/u.yml': 'usage: {}',
      'scripts/x.sh': 'true',
    }),
  );
  assert.deepEqual(parse(packed), {
    version: 2.1,
    description: 'd',
    commands: { a: { steps: ['checkout'] }, b: { steps: ['checkout'] } },
    executors: { e: { machine: true } },
    examples: { u: { usage: {} } },
  });
  assert.deepEqual(packed.match(/^\w+/gm), ['version', 'description', 'commands', 'executors', 'examples']);
});

test('an included file replaces its directive, with every << escaped', () => {
  const packed = packOrb(files({ 'commands/c.yml': COMMAND, 'scripts/x.sh': 'cat <<EOF\n1\nEOF\n' }));
  assert.deepEqual(textAt(parse(packed), 'commands.c.steps.0.run.command'), 'cat \\<<EOF\n1\nEOF\n');
});

test('the same sources in another order pack to the same bytes', () => {
  const source = files({ 'commands/b.yml': 'steps: [checkout]', 'commands/a.yml': 'steps: [checkout]' });
  assert.equal(packOrb(new Map([...source].reverse())), packOrb(source));
});

test('text that YAML 1.1 reads as a boolean is quoted', () => {
  assert.match(packOrb(files({ 'commands/c.yml': 'steps: [run: "yes"]' })), /run: "yes"/);
});

const refused: readonly (readonly [fault: string, entries: Readonly<Record<string, string>>])[] = [
  ['@orb.yml: the key jobs does not belong here', { '@orb.yml': `${ORB}jobs: {}\n` }],
  ['@orb.yml: include directives have no effect here', { '@orb.yml': 'description: <<include(x)>>\n' }],
  [
    'scripts/x.yml: YAML must be one of commands, executors, jobs, examples/name.yml, its name in lower case',
    { 'scripts/x.yml': '{}' },
  ],
  [
    'commands/sub/x.yml: YAML must be one of commands, executors, jobs, examples/name.yml, its name in lower case',
    { 'commands/sub/x.yml': '{}' },
  ],
  [
    'commands/x.yaml: YAML must be one of commands, executors, jobs, examples/name.yml, its name in lower case',
    { 'commands/x.yaml': '{}' },
  ],
  ['commands/x.yml: quote yes, which some packers read as a boolean', { 'commands/x.yml': 'a: yes' }],
  ['commands/x.yml: quote on, which some packers read as a boolean', { 'commands/x.yml': 'on: x' }],
  ['commands/x.yml: aliases are not copied into the packed orb', { 'commands/x.yml': 'a: &a 1\nb: *a' }],
  ['commands/x.yml: must be a mapping', { 'commands/x.yml': '- a' }],
  [
    "commands/x.yml.steps[0].run.command: included file scripts/x.sh is not in the orb's directory",
    { 'commands/x.yml': COMMAND },
  ],
  [
    'commands/x.yml.a: an include directive must be the whole value',
    { 'commands/x.yml': 'a: "x <<include(scripts/x.sh)>>"', 'scripts/x.sh': '' },
  ],
  [
    'commands/x.yml.description: include directives have no effect here',
    { 'commands/x.yml': 'description: <<include(scripts/x.sh)>>', 'scripts/x.sh': '' },
  ],
  ['examples/x.yml: include directives have no effect here', { 'examples/x.yml': 'usage: { jobs: <<include(x)>> }' }],
  [
    "examples/x.yml: CircleCI's older CLI does not pack the key usage.executors of an example",
    { 'examples/x.yml': 'usage: { jobs: {}, executors: {} }' },
  ],
  [
    "examples/x.yml: CircleCI's older CLI does not pack the key display of an example",
    { 'examples/x.yml': 'description: x\ndisplay: {}' },
  ],
  [
    'scripts/x.sh: the meaning of "\\<<" in an included file is not documented',
    { 'commands/x.yml': COMMAND, 'scripts/x.sh': 'cat \\<<EOF' },
  ],
];

for (const [problem, entries] of refused) {
  test(`packing rejects: ${problem}`, () => {
    assert.throws(
      () => packOrb(files(entries)),
      (error) => {
        assert.ok(error instanceof OrbSourceError);
        assert.deepEqual(error.problems, [problem]);
        return true;
      },
    );
  });
}

test('sources without @orb.yml are rejected', () => {
  assert.throws(() => packOrb(new Map()), /@orb\.yml is missing/);
});

test('invalid YAML is rejected with the name and line of the file', () => {
  assert.throws(() => packOrb(files({ 'commands/x.yml': 'a: [\nb' })), /commands\/x\.yml: .* at line 2/);
});
