import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { parse, parseAllDocuments, stringify } from 'yaml';
import { z } from 'zod';
import type { Flag } from '../src/cli/flags.ts';
import { readResources } from '../src/rules/read-resources.ts';
import { ERROR_CODES, MachineIdError } from '../src/errors.ts';
import { supportedOutputs } from '../src/outputs/supported.ts';
import { COMMANDS } from '../src/command-table.ts';
import { schemaChecker, schemaMissing } from './circleci-schema.ts';
import { planOf } from './config/plan-of.ts';
import { blocks, documents, textOf } from './docs/documents.ts';
import { type CodeBlock, fragmentOf, links, sections, tableRows } from './docs/markdown.ts';
import { FLAGS_OF_OTHERS, PROGRAMS, programsIn, RoleFile } from './docs/programs.ts';
import { missing, runProgramSync } from './programs.ts';
import { resolveJob } from './job-runner/job.ts';
import { isMapping, mapping } from './job-runner/mapping.ts';
import { usesOf } from './orb/packed-rules.ts';
import { packedWith, version } from './orb/source.ts';

const yamlBlocks = blocks.filter(({ language }) => language === 'yaml');
const circleciConfigs = yamlBlocks.filter(({ text }) => topLevel(text).version === 2.1);
/** Those of tbot's own guide have no orb. */
const orbConfigs = circleciConfigs.filter(({ text }) => 'orbs' in topLevel(text));
const tbotConfigs = yamlBlocks.filter(({ text }) => topLevel(text).version === 'v2' && !('kind' in topLevel(text)));

describe('code in the documents', () => {
  test('there is a config to paste and a tbot.yaml', () => {
    assert.notEqual(circleciConfigs.length, 0);
    assert.notEqual(tbotConfigs.length, 0);
  });

  eachBlock(yamlBlocks, 'is YAML', ({ text }) => {
    assert.deepEqual(
      parseAllDocuments(text).flatMap(({ errors }) => errors),
      [],
    );
  });

  const jsonBlocks = blocks.filter(({ language }) => language === 'json');
  eachBlock(jsonBlocks, 'is JSON', ({ text }) => {
    assert.doesNotThrow(() => z.unknown().parse(JSON.parse(text)));
  });

  eachBlock(orbConfigs, 'compiles with this version of the orb', ({ text, place }) => {
    const config = mapping(parse(text), place);
    assert.deepEqual(config.orbs, { 'machine-id': `teleport/machine-id@${version}` });
    for (const job of Object.keys(mapping(config.jobs, place))) {
      const { steps } = resolveJob({ config: text, orbs: { 'machine-id': packedWith('the script') }, job });
      assert.ok(steps.length >= 3);
    }
  });

  test("every config follows CircleCI's schema", { skip: schemaMissing ?? false }, async () => {
    const check = await schemaChecker();
    assert.deepEqual(
      circleciConfigs.flatMap(({ text }) => check(text)),
      [],
    );
  });

  eachBlock(tbotConfigs, 'is a tbot.yaml that run takes without a warning', async ({ text }) => {
    const plan = await planOf(text);
    assert.deepEqual(plan.warnings, []);
    assert.equal(supportedOutputs(plan).length, 1);
  });
});

describe('every block of code is of a kind that is checked', () => {
  const fragments = yamlBlocks.filter(({ text }) =>
    ['outputs', 'services'].includes(Object.keys(topLevel(text))[0] ?? ''),
  );
  const resources = yamlBlocks.filter(({ text }) => ['token', 'bot'].includes(String(topLevel(text).kind)));
  const roles = yamlBlocks.filter(({ text }) => topLevel(text).kind === 'role');

  const steps = yamlBlocks.filter(({ text }) => Array.isArray(parse(text)));

  eachBlock(steps, 'is a list of steps that compiles', ({ text }) => {
    const jobs = { job: { docker: [{ image: 'cimg/base:stable' }], steps: z.array(z.unknown()).parse(parse(text)) } };
    const config = { version: 2.1, orbs: { 'machine-id': `teleport/machine-id@${version}` }, jobs };
    const resolved = resolveJob({
      config: stringify(config),
      orbs: { 'machine-id': packedWith('the script') },
      job: 'job',
    });
    assert.ok(resolved.steps.length > 0);
  });

  test('there are no blocks of other kinds', () => {
    const known = new Set([...steps, ...circleciConfigs, ...tbotConfigs, ...fragments, ...resources, ...roles]);
    const others = blocks.filter((block) =>
      block.language === 'yaml'
        ? !known.has(block)
        : !['sh', 'json', 'text', 'mermaid', 'ini', 'nginx'].includes(block.language),
    );
    assert.deepEqual(
      others.map(({ language, place }) => `${place}: ${language}`),
      [],
    );
  });

  eachBlock(fragments, 'is a part of a tbot.yaml that run takes', async ({ text }) => {
    const plan = await planOf(
      `version: v2\nproxy_server: p.example.com:443\nonboarding: {token: t, join_method: circleci}\n${text}`,
      /-tunnel|ssh-multiplexer/.test(text) ? { tunnelFlags: {} } : {},
    );
    assert.deepEqual(plan.warnings, []);
    assert.ok(supportedOutputs(plan).length + plan.tunnels.length > 0);
  });

  eachBlock(resources, 'is a resource that Teleport takes', ({ text, place }) => {
    const { resources: read, warnings } = readResources(text, place);
    assert.ok(read.length > 0);
    assert.deepEqual(warnings, []);
  });

  eachBlock(roles, 'is a role with fields that Teleport knows', ({ text, place }) => {
    const role = RoleFile.parse(parse(text), { error: () => place });
    assert.ok(Object.keys(role.spec.allow).length > 0);
  });

  eachBlock(
    blocks.filter(({ language }) => language === 'sh'),
    'is what bash can read, with programs that are known',
    ({ text }) => {
      const { exitCode, stderr } = runProgramSync('bash', ['-n'], { input: text });
      assert.equal(exitCode, 0, stderr);
      for (const program of programsIn(text)) assert.ok(PROGRAMS.includes(program), program);
    },
  );

  for (const [flag, { help, program }] of FLAGS_OF_OTHERS) {
    const skip = help.length === 0 ? false : (missing(program) ?? false);
    test(`${flag} is a flag of ${program}`, { skip }, () => {
      // Those without a way to ask are of programs that no test machine has; the references name them.
      if (help.length === 0) return;
      assert.ok(helpOf(program, help).includes(flag.replace(/^--?/, '')), `${program} ${help.join(' ')}`);
    });
  }
});

const helpTexts = new Map<string, string>();

/** Asked once: Ansible takes seconds. */
function helpOf(program: string, args: readonly string[]): string {
  const command = [program, ...args].join(' ');
  const known = helpTexts.get(command);
  if (known !== undefined) return known;
  const { stderr, stdout } = runProgramSync(program, args);
  helpTexts.set(command, stdout + stderr);
  return stdout + stderr;
}

describe('what the documents say is true', () => {
  test('the sizes that the documents name are those of today', () => {
    const bundle = readFileSync('dist/machine-id.cjs');
    const size = gzipSync(bundle, { level: 9 }).length;
    const install = mapping(parse(packedWith(bundle)), 'orb');
    const { steps } = mapping(mapping(install.commands, 'commands').install, 'install');
    const embedded = Math.max(...usesOf(steps).map((use) => use.size));
    const all = [...documents.values()].join('\n');
    const said = (pattern: RegExp) => [...all.matchAll(pattern)].map(([, kilobytes]) => Number(kilobytes) * 1000);
    const scripts = said(/one script, (\d+) KB compressed/gi);
    const uses = said(/adds about (\d+) KB to the compiled config/g);
    assert.equal(scripts.length, 2);
    assert.equal(uses.length, 1);
    for (const one of scripts) assert.ok(Math.abs(one / size - 1) < 0.05, `${one} and ${size}`);
    for (const one of uses) assert.ok(Math.abs(one / embedded - 1) < 0.05, `${one} and ${embedded}`);
  });

  test('every flag that a document names exists', async () => {
    const flags = (await Promise.all(COMMANDS.map((command) => command.flags()))).flat().flatMap(longNames);
    const named = new Set([...documents.values()].flatMap((text) => text.match(/(?<![\w-])--[a-z][a-z0-9-]*/g) ?? []));
    const foreign = [...named].filter((flag) => !flags.includes(flag) && flag !== '--help');
    const others = [...FLAGS_OF_OTHERS.keys()];
    assert.deepEqual(foreign.sort(), others.filter((flag) => !flags.includes(flag)).sort());
    assert.deepEqual(
      others.filter((flag) => !named.has(flag)),
      [],
    );
  });

  for (const code of ERROR_CODES) {
    test(`docs/errors.md gives the causes and the exit code of ${code}`, () => {
      const text = sectionOf(textOf('docs/errors.md'), code).replaceAll('\n', ' ');
      const { exitCode } = new MachineIdError(code, '', { hint: '' });
      assert.match(text, / 1\. /);
      assert.match(text, /What to do: /);
      assert.deepEqual(text.match(/Exit code \d/g), [`Exit code ${exitCode}`]);
    });
  }

  test('ARCHITECTURE.md has a line for everything in src', () => {
    const rooms = tableRows(sectionOf(textOf('ARCHITECTURE.md'), 'The rooms')).map(([room = '']) =>
      room.replace('/', ''),
    );
    assert.deepEqual(
      readdirSync('src').filter((entry) => !rooms.includes(entry)),
      [],
    );
  });

  test('every npm script that a document names exists', () => {
    const { scripts } = z
      .object({ scripts: z.record(z.string(), z.string()) })
      .parse(JSON.parse(readFileSync('package.json', 'utf8')));
    const named = [...documents.values()].flatMap((text) => [...text.matchAll(/npm run (?:-s )?([a-z][a-z:]*)/g)]);
    assert.deepEqual(
      named.map(([, name = '']) => name).filter((name) => !(name in scripts)),
      [],
    );
  });

  test('the changelog begins with the version of package.json', () => {
    assert.ok(sections(textOf('CHANGELOG.md'))[1]?.heading.startsWith(`${version} - `));
  });
});

for (const [path, text] of documents) {
  test(`every link inside the repository leads somewhere: ${path}`, () => {
    const inside = links(text).filter((target) => !/^[a-z]+:/.test(target));
    assert.deepEqual(
      inside.filter((target) => !leadsSomewhere(path, target)),
      [],
    );
  });

  test(`no note of unfinished work is left: ${path}`, () => {
    assert.deepEqual(text.match(/\b(TODO|FIXME|TBD|XXX)\b/gi) ?? [], []);
  });
}

function eachBlock(
  chosen: readonly CodeBlock[],
  claim: string,
  check: (block: CodeBlock) => void | Promise<void>,
): void {
  for (const block of chosen) test(`${block.place} ${claim}`, () => check(block));
}

function longNames({ name, aliases = [] }: Flag): readonly string[] {
  return [name, ...aliases].map((one) => `--${one}`);
}

function topLevel(text: string): Readonly<Record<string, unknown>> {
  const value: unknown = parseAllDocuments(text)[0]?.toJS();
  return isMapping(value) ? value : {};
}

function sectionOf(text: string, heading: string): string {
  const section = sections(text).find((one) => one.heading === heading);
  assert.ok(section !== undefined, `there is no heading "${heading}"`);
  return section.text;
}

function leadsSomewhere(from: string, target: string): boolean {
  const [file = '', fragment] = target.split('#');
  const path = file === '' ? from : join(dirname(from), file);
  if (fragment === undefined) return existsSync(path);
  return sections(textOf(path)).some(({ heading }) => fragmentOf(heading) === fragment);
}
