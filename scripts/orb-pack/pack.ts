/**
 * Packs an orb's source files into one orb.
 *
 * CircleCI's two generations of the CLI pack differently. This accepts only sources that both pack into the same orb, so that
 * `circleci orb pack` has the same result, except for the placeholders of a release.
 */
import { stringify } from 'yaml';
import { readComponent } from './component.ts';
import { withIncludes } from './include.ts';
import { OrbSourceError } from './source-error.ts';

const SECTIONS = ['commands', 'executors', 'jobs', 'examples'] as const;
const TOP_LEVEL = ['version', 'description', 'display', 'orbs'] as const;
const COMPONENT_PATH = /^(commands|executors|jobs|examples)\/([a-z][a-z0-9_-]*)\.yml$/;

const EXAMPLE_KEYS: readonly string[] = ['description', 'usage', 'result'];
const USAGE_KEYS: readonly string[] = ['version', 'setup', 'orbs', 'jobs', 'workflows'];

type Mapping = Readonly<Record<string, unknown>>;

/**
 * @param files contents by path relative to the directory of `@orb.yml`, with `/`
 * @throws OrbSourceError with all problems
 */
export function packOrb(files: ReadonlyMap<string, string>): string {
  const problems: string[] = [];
  const orb = { ...topLevel(files, problems), ...sections(files, problems) };
  if (problems.length > 0) throw new OrbSourceError(problems);
  return orbText(orb);
}

/** Quotes by the rules of YAML 1.1, which CircleCI's compiler reads. */
export function orbText(orb: Mapping): string {
  return stringify(orb, { version: '1.1', indent: 4, lineWidth: 0, blockQuote: 'literal' });
}

function topLevel(files: ReadonlyMap<string, string>, problems: string[]): Mapping {
  const text = files.get('@orb.yml');
  if (text === undefined) {
    problems.push('@orb.yml is missing');
    return {};
  }
  const found = readComponent('@orb.yml', text, problems);
  for (const key of Object.keys(found)) {
    if (!TOP_LEVEL.some((name) => name === key)) problems.push(`@orb.yml: the key ${key} does not belong here`);
  }
  rejectIncludes(found, '@orb.yml', problems);
  return Object.fromEntries(TOP_LEVEL.filter((key) => key in found).map((key) => [key, found[key]]));
}

function sections(files: ReadonlyMap<string, string>, problems: string[]): Mapping {
  const packed: Record<string, Record<string, unknown>> = {};
  for (const [path, text] of [...files].sort(([left], [right]) => (left < right ? -1 : 1))) {
    if (path === '@orb.yml' || !/\.ya?ml$/.test(path)) continue;
    const [, section, name] = COMPONENT_PATH.exec(path) ?? [];
    if (section === undefined || name === undefined) {
      problems.push(`${path}: YAML must be one of ${SECTIONS.join(', ')}/name.yml, its name in lower case`);
      continue;
    }
    const found = readComponent(path, text, problems);
    if (section === 'examples') {
      rejectIncludes(found, path, problems);
      rejectLostKeys(found, path, problems);
    }
    (packed[section] ??= {})[name] = section === 'examples' ? found : withIncludes(found, files, path, problems);
  }
  return Object.fromEntries(SECTIONS.filter((key) => key in packed).map((key) => [key, packed[key]]));
}

/** CircleCI's older CLI silently drops all other keys of an example. */
function rejectLostKeys(found: Mapping, path: string, problems: string[]): void {
  const usage = typeof found.usage === 'object' && found.usage !== null ? Object.keys(found.usage) : [];
  const lost = [
    ...Object.keys(found).filter((key) => !EXAMPLE_KEYS.includes(key)),
    ...usage.filter((key) => !USAGE_KEYS.includes(key)).map((key) => `usage.${key}`),
  ];
  for (const key of lost) problems.push(`${path}: CircleCI's older CLI does not pack the key ${key} of an example`);
}

/** Packers read directives only in commands, executors and jobs. */
function rejectIncludes(found: Mapping, path: string, problems: string[]): void {
  if (/<<\s*include/.test(JSON.stringify(found))) problems.push(`${path}: include directives have no effect here`);
}
