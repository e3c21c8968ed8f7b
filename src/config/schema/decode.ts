/** Reads a whole configuration file by its schema, as far as it goes. */
import type { Fault } from '../../errors.ts';
import type { YamlDocument } from '../yaml/document.ts';
import type { Path } from '../yaml/tree.ts';
import { formatPath, withoutKeys } from '../yaml/tree.ts';
import type { Field } from './field.ts';
import { isUnknownKey } from './section.ts';

export interface Decoded<T> {
  /** `undefined` only when the file as a whole could not be read. */
  readonly value: T | undefined;
  readonly faults: readonly Fault[];
  readonly unknownKeys: readonly Fault[];
}

/**
 * Reads what can be read: unknown keys are taken out and reported, and a top-level key with a fault is taken out so
 * that the rest can still be checked. `schema` must accept a file without any key.
 */
export function decode<T>(schema: Field<T>, document: YamlDocument): Decoded<T> {
  const unknownKeys: Fault[] = [];
  let faults: readonly Fault[] = [];
  let { root } = document;
  // Every pass takes out at least one key, so that there are never more passes than keys.
  for (;;) {
    const result = schema.safeParse(root);
    if (result.success) return { value: result.data, faults, unknownKeys };
    const { issues } = result.error;
    const unknown = issues.filter(isUnknownKey);
    if (unknown.length > 0) {
      // An unknown key hides faults that only show once its section is read, so the faults wait for the next pass.
      unknownKeys.push(...unknown.map((issue) => faultOf(issue, document)));
      root = withoutKeys(
        root,
        unknown.map(({ path }) => path),
      );
      continue;
    }
    faults = [...faults, ...issues.map((issue) => faultOf(issue, document))];
    if (issues.some(({ path }) => path.length === 0)) return { value: undefined, faults, unknownKeys };
    root = withoutKeys(
      root,
      issues.map(({ path }) => path.slice(0, 1)),
    );
  }
}

function faultOf({ path, message }: { readonly path: Path; readonly message: string }, document: YamlDocument): Fault {
  const line = document.lineOf(path);
  return { path: formatPath(path), ...(line === undefined ? {} : { line }), message };
}
