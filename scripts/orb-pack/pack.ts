/**
 * Packs an orb's source files into one orb.
 *
 * CircleCI's two CLI generations pack differently; this accepts only what both turn into the same orb, so that
 * `circleci orb pack` agrees with it but for the placeholders of a release.
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
 * @param files contents by path relative to the folder of `@orb.yml`, with `/` between folders
 * @throws OrbSourceError with every fault found
 */
export function packOrb(files: ReadonlyMap<string, string>): string {
  const faults: string[] = [];
  const orb = { ...topLevel(files, faults), ...sections(files, faults) };
  if (faults.length > 0) throw new OrbSourceError(faults);
  return orbText(orb);
}

/** YAML 1.1 rules decide what is quoted, as CircleCI's compiler reads that version. */
export function orbText(orb: Mapping): string {
  return stringify(orb, { version: '1.1', indent: 4, lineWidth: 0, blockQuote: 'literal' });
}

function topLevel(files: ReadonlyMap<string, string>, faults: string[]): Mapping {
  const text = files.get('@orb.yml');
  if (text === undefined) {
    faults.push('@orb.yml is missing');
    return {};
  }
  const found = readComponent('@orb.yml', text, faults);
  for (const key of Object.keys(found)) {
    if (!TOP_LEVEL.some((name) => name === key)) faults.push(`@orb.yml: the key ${key} does not belong here`);
  }
  refuseIncludes(found, '@orb.yml', faults);
  return Object.fromEntries(TOP_LEVEL.filter((key) => key in found).map((key) => [key, found[key]]));
}

function sections(files: ReadonlyMap<string, string>, faults: string[]): Mapping {
  const packed: Record<string, Record<string, unknown>> = {};
  for (const [path, text] of [...files].sort(([left], [right]) => (left < right ? -1 : 1))) {
    if (path === '@orb.yml' || !/\.ya?ml$/.test(path)) continue;
    const [, section, name] = COMPONENT_PATH.exec(path) ?? [];
    if (section === undefined || name === undefined) {
      faults.push(`${path}: YAML must be one of ${SECTIONS.join(', ')}/name.yml, its name in lower case`);
      continue;
    }
    const found = readComponent(path, text, faults);
    if (section === 'examples') {
      refuseIncludes(found, path, faults);
      refuseLostKeys(found, path, faults);
    }
    (packed[section] ??= {})[name] = section === 'examples' ? found : withIncludes(found, files, path, faults);
  }
  return Object.fromEntries(SECTIONS.filter((key) => key in packed).map((key) => [key, packed[key]]));
}

/** CircleCI's older CLI drops every other key of an example without a message. */
function refuseLostKeys(found: Mapping, path: string, faults: string[]): void {
  const usage = typeof found.usage === 'object' && found.usage !== null ? Object.keys(found.usage) : [];
  const lost = [
    ...Object.keys(found).filter((key) => !EXAMPLE_KEYS.includes(key)),
    ...usage.filter((key) => !USAGE_KEYS.includes(key)).map((key) => `usage.${key}`),
  ];
  for (const key of lost) faults.push(`${path}: CircleCI's older CLI does not pack the key ${key} of an example`);
}

/** Packers read directives in commands, executors and jobs alone. */
function refuseIncludes(found: Mapping, path: string, faults: string[]): void {
  if (/<<\s*include/.test(JSON.stringify(found))) faults.push(`${path}: an include directive is not read here`);
}
