/** Compares two orbs regardless of how a registry or a packer formats the YAML. */
import { isAlias, isNode, isScalar, parseAllDocuments, visit } from 'yaml';
import type { Document } from 'yaml';

/** Keys whose value is a number or text, depending on the generation of CircleCI's CLI. */
const VERSION = /^(?:version|examples\.[^.]+\.usage\.version)$/;
/** Values that YAML 1.1 and 1.2 read differently; both CLIs quote them if they are text. */
const OTHER_IN_YAML_1_1 = new RegExp(
  `^(?:${[
    'y|n|yes|no|on|off',
    '[-+]?0[0-7]+|0o[0-7]+|[-+]?0b[01_]+',
    // Sexagesimal.
    '[-+]?\\d[\\d_]*(?::[0-5]?\\d)+(?:\\.[\\d_]*)?',
    '(?=.*_)[-+]?\\d[\\d_]*(?:\\.[\\d_]*)?',
    // A float without a dot, or without the sign of its exponent.
    '[-+]?(?:\\d+(?:\\.\\d*)?|\\.\\d+)e[-+]?\\d+',
    '\\d{4}-\\d\\d?-\\d\\d?(?:(?:t|\\s+)\\d.*)?',
  ].join('|')})$`,
  'i',
);
const SHOWN_CHARACTERS = 100;

/**
 * The differences in commands, jobs, executors, examples and descriptions, each with its location; empty if both are the same
 * orb. Ignores the order of keys, indentation, quotes, folding and comments.
 */
export function orbDifferences(published: string, built: string): readonly string[] {
  const { value, problems } = readOrb(published);
  if (problems.length > 0) return problems.map((problem) => `the published orb ${problem}`);
  return differences(value, readOrb(built).value, '');
}

interface Reading {
  readonly value: unknown;
  readonly problems: readonly string[];
}

function readOrb(text: string): Reading {
  const documents = parseAllDocuments(text, { version: '1.2', merge: false });
  const [document, ...more] = 'empty' in documents ? [] : documents;
  if (document === undefined || more.length > 0) {
    return { value: undefined, problems: [`has ${more.length === 0 ? 'no' : 'several'} documents`] };
  }
  const problems = [...document.errors.map(({ message }) => message.split('\n')[0] ?? ''), ...oddities(document)];
  if (/^%/m.test(text)) problems.push('contains a YAML directive');
  return { value: problems.length > 0 ? undefined : document.toJS(), problems };
}

/** YAML that neither CLI writes and that readers interpret differently: CircleCI's reads version 1.1, this one 1.2. */
function oddities(document: Document): readonly string[] {
  const found: string[] = [];
  visit(document, (_key, node) => {
    if (!isNode(node)) return;
    if (isScalar(node) && node.type === 'PLAIN' && OTHER_IN_YAML_1_1.test(node.source ?? '')) {
      found.push(`contains ${node.source ?? ''} without quotes, which versions of YAML read differently`);
    }
    if (isAlias(node)) found.push('contains an alias');
    if (node.tag !== undefined) found.push(`contains the tag ${node.tag}`);
  });
  return found;
}

function differences(published: unknown, built: unknown, path: string): readonly string[] {
  if (Array.isArray(published) && Array.isArray(built)) return entryDifferences(published, built, path);
  if (isMapping(published) && isMapping(built)) return entryDifferences(published, built, path);
  if (published === built || (VERSION.test(path) && String(published) === String(built))) return [];
  return [`${path}: ${valueDifference(published, built)}`];
}

function entryDifferences(published: object, built: object, path: string): readonly string[] {
  const [ours, theirs] = [entriesOf(built), entriesOf(published)];
  return [...new Set([...ours.keys(), ...theirs.keys()])].flatMap((key) => {
    const place = Array.isArray(built) ? `${path}[${key}]` : `${path}${path === '' ? '' : '.'}${key}`;
    if (!theirs.has(key)) return [`${place} is missing in the published orb`];
    if (!ours.has(key)) return [`${place} is in the published orb, but not in what the tag builds`];
    return differences(theirs.get(key), ours.get(key), place);
  });
}

function entriesOf(value: object): ReadonlyMap<string, unknown> {
  return new Map(Object.entries<unknown>({ ...value }));
}

/** For long texts, the first line that differs. */
function valueDifference(published: unknown, built: unknown): string {
  if (typeof published !== 'string' || typeof built !== 'string') {
    return `published ${shown(published)}, the tag builds ${shown(built)}`;
  }
  const [theirs, ours] = [published.split('\n'), built.split('\n')];
  const line = Array.from({ length: Math.max(theirs.length, ours.length) }, (_, at) => at).find(
    (at) => theirs[at] !== ours[at],
  );
  const where = ours.length > 1 || theirs.length > 1 ? `line ${(line ?? 0) + 1}: ` : '';
  return `${where}published ${shown(theirs[line ?? 0])}, the tag builds ${shown(ours[line ?? 0])}`;
}

function shown(value: unknown): string {
  const text = value === undefined ? 'nothing' : JSON.stringify(value);
  return text.length > SHOWN_CHARACTERS ? `${text.slice(0, SHOWN_CHARACTERS)}…` : text;
}

function isMapping(value: unknown): value is object {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
