/** Reads one YAML file of an orb, accepting only what every CircleCI packer reads in the same way. */
import { isMap, isScalar, parseDocument, visit } from 'yaml';

/** YAML 1.1 has these as booleans, YAML 1.2 as strings; CircleCI's two packers differ there. */
const AMBIGUOUS = /^(?:y|n|yes|no|on|off)$/i;

/** The file's mapping; what is wrong is added to `faults`, each with the file's path and line. */
export function readComponent(path: string, text: string, faults: string[]): Readonly<Record<string, unknown>> {
  const document = parseDocument(text, { version: '1.2', merge: false });
  for (const error of document.errors) faults.push(`${path}: ${error.message}`);
  if (document.errors.length > 0) return {};
  if (!isMap(document.contents)) {
    faults.push(`${path}: must be a mapping`);
    return {};
  }
  visit(document, {
    Alias: () => {
      faults.push(`${path}: an alias is not carried into the packed orb`);
    },
    Scalar: (_key, node) => {
      if (isScalar(node) && node.type === 'PLAIN' && AMBIGUOUS.test(node.source ?? '')) {
        faults.push(`${path}: quote ${node.source ?? ''}, which some packers read as a boolean`);
      }
    },
  });
  return mappingOf(document.toJS());
}

function mappingOf(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null ? Object.fromEntries(Object.entries(value)) : {};
}
