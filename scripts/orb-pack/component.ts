/** Reads one YAML file of an orb. Accepts only what all CircleCI packers read in the same way. */
import { isMap, isScalar, parseDocument, visit } from 'yaml';

/** Booleans in YAML 1.1 and strings in YAML 1.2; CircleCI's two packers differ here. */
const AMBIGUOUS = /^(?:y|n|yes|no|on|off)$/i;

/** Returns the mapping of the file. Adds problems to `problems`, with path and line. */
export function readComponent(path: string, text: string, problems: string[]): Readonly<Record<string, unknown>> {
  const document = parseDocument(text, { version: '1.2', merge: false });
  for (const error of document.errors) problems.push(`${path}: ${error.message}`);
  if (document.errors.length > 0) return {};
  if (!isMap(document.contents)) {
    problems.push(`${path}: must be a mapping`);
    return {};
  }
  visit(document, {
    Alias: () => {
      problems.push(`${path}: aliases are not copied into the packed orb`);
    },
    Scalar: (_key, node) => {
      if (isScalar(node) && node.type === 'PLAIN' && AMBIGUOUS.test(node.source ?? '')) {
        problems.push(`${path}: quote ${node.source ?? ''}, which some packers read as a boolean`);
      }
    },
  });
  return mappingOf(document.toJS());
}

function mappingOf(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null ? Object.fromEntries(Object.entries(value)) : {};
}
