/**
 * `circleci orb pack` as the two generations of CircleCI's CLI do it, without what our sources may not use: anchors
 * across files, and folders in the folders of components.
 */
import { isScalar, parseDocument, stringify, visit } from 'yaml';
import { isMapping, mapping } from '../job-runner/mapping.ts';
import type { Mapping } from '../job-runner/mapping.ts';

/** Contents by path from the orb's folder; dot files are skipped. */
type Files = ReadonlyMap<string, string>;

const INCLUDE = /<<\s*include\(([-\w/.]+)\)?\s*>>/g;

/** 0.1.x reads four folders into a struct of known keys, and takes a directive only alone in its value. */
export function packedByOldCli(files: Files): string {
  if (!files.has('@orb.yml')) throw new Error('@orb.yml file not found, are you sure this is the Orb root?');
  const folders = ['executors', 'jobs', 'commands', 'examples'];
  const orb = withIncludes(merged(files, { folders, wordsAreBooleans: false }), (text) => {
    const [directive, ...more] = text.matchAll(INCLUDE);
    if (directive === undefined) return text;
    if (more.length > 0) throw new Error(`multiple include statements: '${text}'`);
    if (directive[0] !== text) throw new Error(`entire string must be include statement: '${text}'`);
    return escaped(files, directive[1] ?? '');
  });
  const examples = Object.entries(mapping(orb.examples, 'examples')).map(([name, example]) => {
    const { description, usage } = mapping(example, name);
    return [name, { description, usage: usageOfOldCli(mapping(usage, name)) }] as const;
  });
  const keys = ['version', 'description', 'display', 'orbs', 'commands', 'executors', 'jobs', 'examples'];
  return printed(withKeys({ ...orb, examples: sorted(Object.fromEntries(examples)) }, keys));
}

/** The version becomes text; keys that the struct does not name are lost. */
function usageOfOldCli(usage: Mapping): Mapping {
  const text = withKeys({ ...usage, version: JSON.stringify(usage.version).replaceAll('"', '') }, ['version']);
  return { ...text, ...withKeys(usage, ['setup', 'orbs', 'jobs', 'workflows']) };
}

/** 1.x reads every folder that holds YAML, takes the booleans of YAML 1.1, and sorts the keys. */
export function packedByNewCli(files: Files): string {
  const orb = merged(files, { folders: undefined, wordsAreBooleans: true });
  const included = (text: string): string =>
    text.replaceAll(INCLUDE, (_directive, path: string) => escaped(files, path));
  return printed(sorted(withIncludes(orb, included)));
}

interface Rules {
  readonly folders: readonly string[] | undefined;
  readonly wordsAreBooleans: boolean;
}

function merged(files: Files, { folders, wordsAreBooleans }: Rules): Mapping {
  let orb: Mapping = {};
  for (const [path, text] of files) {
    const [folder = '', name] = path.split('/');
    if (!/\.ya?ml$/.test(path) || /(^|\/)\./.test(path)) continue;
    const content = mapping(readYaml(text, wordsAreBooleans), path);
    if (name === undefined) orb = { ...orb, ...content };
    else if (folders?.includes(folder) ?? true) {
      orb = { ...orb, [folder]: { ...mapping(orb[folder], folder), [name.replace(/\.\w+$/, '')]: content } };
    }
  }
  return orb;
}

function readYaml(text: string, wordsAreBooleans: boolean): unknown {
  const document = parseDocument(text);
  visit(document, {
    Scalar: (key, node) => {
      if (!wordsAreBooleans || key === 'key' || !isScalar(node) || node.type !== 'PLAIN') return;
      if (/^(yes|on)$/i.test(String(node.value))) node.value = true;
      if (/^(no|off)$/i.test(String(node.value))) node.value = false;
    },
  });
  return document.toJS();
}

function withIncludes(orb: Mapping, included: (text: string) => string): Mapping {
  const sections = ['jobs', 'commands', 'executors'];
  return Object.fromEntries(
    Object.entries(orb).map(([key, value]) => [key, sections.includes(key) ? withTexts(value, included) : value]),
  );
}

function withTexts(value: unknown, change: (text: string) => string): unknown {
  if (typeof value === 'string') return change(value);
  if (Array.isArray(value)) return value.map((item) => withTexts(item, change));
  if (!isMapping(value)) return value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, withTexts(item, change)]));
}

function escaped(files: Files, path: string): string {
  const text = files.get(path);
  if (text === undefined) throw new Error(`could not open ${path} for inclusion`);
  return text.replaceAll('<<', '\\<<');
}

function withKeys(value: Mapping, keys: readonly string[]): Mapping {
  return Object.fromEntries(keys.filter((key) => key in value).map((key) => [key, value[key]]));
}

function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (!isMapping(value)) return value;
  const entries = Object.entries(value).sort(([one], [other]) => (one < other ? -1 : 1));
  return Object.fromEntries(entries.map(([key, item]) => [key, sorted(item)]));
}

function printed(orb: unknown): string {
  return stringify(orb, { version: '1.1', indent: 4, lineWidth: 0 });
}
