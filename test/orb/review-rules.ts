/** The checks that CircleCI's orb-tools review makes of an orb's source tree and that need no network. */
import { basename } from 'node:path';
import { parse } from 'yaml';
import { isMapping, mapping } from '../job-runner/mapping.ts';
import type { Mapping } from '../job-runner/mapping.ts';
import { places, runs, textOrEmpty } from './walk.ts';

interface Component {
  readonly path: string;
  readonly section: string;
  readonly name: string;
  readonly body: Mapping;
}

interface Source {
  readonly orb: Mapping;
  readonly components: readonly Component[];
  readonly majorVersion: string;
}

const LONGEST_INLINE_COMMAND = 64;
const SHORTEST_DESCRIPTION = 64;

const RULES: Readonly<Record<string, (source: Source) => readonly string[]>> = {
  RC001: ({ orb }) => (hasText(mapping(orb.display, 'display').source_url) ? [] : ['display.source_url is missing']),
  RC002: ({ components }) =>
    components.filter(({ body }) => !hasText(body.description)).map(({ path }) => `${path} has no description`),
  RC003: ({ components }) => (components.some(isExample) ? [] : ['there is no example']),
  RC004: ({ components }) =>
    components
      .filter((one) => isExample(one) && one.name.includes('example'))
      .map(({ path }) => `${path} says example`),
  RC005: ({ orb }) =>
    textOrEmpty(orb.description).trim().length >= SHORTEST_DESCRIPTION ? [] : ["the orb's description is short"],
  RC008: (source) =>
    orbRuns(source)
      .filter(({ value }) => !isMapping(value) || !hasText(value.name))
      .map(({ path }) => `${path} has no name`),
  RC009: (source) =>
    orbRuns(source).flatMap(({ value, path }) => (isShort(commandOf(value)) ? [] : [`${path} is long`])),
  RC010: ({ components }) => components.filter((one) => !isExample(one)).flatMap(namesWithDash),
  RC011: ({ components, majorVersion }) => components.filter(isExample).flatMap((one) => otherMajor(one, majorVersion)),
  RC012: ({ components }) => components.flatMap(unexpandedCacheKeys),
};

/** Findings such as `RC001 display.source_url is missing`; none for an orb that passes. */
export function reviewSource(files: ReadonlyMap<string, string>, version: string): readonly string[] {
  const [majorVersion = ''] = version.split('.');
  const source = { orb: yamlMapping(files.get('@orb.yml') ?? ''), components: componentsOf(files), majorVersion };
  return Object.entries(RULES).flatMap(([code, rule]) => rule(source).map((finding) => `${code} ${finding}`));
}

function componentsOf(files: ReadonlyMap<string, string>): readonly Component[] {
  return [...files].flatMap(([path, text]) => {
    const section = /^(commands|executors|jobs|examples)\/[^/]+\.yml$/.exec(path)?.[1];
    return section === undefined ? [] : [{ path, section, name: basename(path, '.yml'), body: yamlMapping(text) }];
  });
}

function yamlMapping(text: string): Mapping {
  return mapping(parse(text), 'orb');
}

function isExample({ section }: Component): boolean {
  return section === 'examples';
}

function hasText(value: unknown): boolean {
  return typeof value === 'string' && value.trim() !== '';
}

function orbRuns({ components }: Source): ReturnType<typeof runs> {
  return components.filter((one) => !isExample(one)).flatMap(({ body, path }) => runs(body, path));
}

function commandOf(run: unknown): string {
  return textOrEmpty(isMapping(run) ? run.command : run);
}

function isShort(command: string): boolean {
  return command.length <= LONGEST_INLINE_COMMAND || /^<<\s*include\([^)]+\)\s*>>$/.test(command.trim());
}

function namesWithDash({ path, name, body }: Component): readonly string[] {
  const names = [name, ...Object.keys(mapping(body.parameters, path))];
  return names.filter((one) => one.includes('-')).map((one) => `${path}: ${one} holds a dash`);
}

function otherMajor({ path, body }: Component, majorVersion: string): readonly string[] {
  const orbs = mapping(mapping(body.usage, path).orbs, path);
  const [, major] = /@(\d+)\.\d+\.\d+$/.exec(textOrEmpty(orbs['machine-id'])) ?? [];
  return major === majorVersion ? [] : [`${path} does not use major version ${majorVersion}`];
}

/** CircleCI replaces no environment variable in a cache key that a parameter brought there. */
function unexpandedCacheKeys({ path, body }: Component): readonly string[] {
  const withVariable = Object.entries(mapping(body.parameters, path))
    .filter(([, declaration]) => textOrEmpty(mapping(declaration, path).default).includes('$'))
    .map(([name]) => name);
  const keys = places(body.steps, path).filter(({ key, path: at }) => key === 'key' && at.endsWith('_cache.key'));
  return keys.flatMap(({ value, path: at }) =>
    withVariable
      .filter((name) => new RegExp(`<<\\s*parameters\\.${name}\\s*>>`).test(String(value)))
      .map((name) => `${at} uses ${name}`),
  );
}
