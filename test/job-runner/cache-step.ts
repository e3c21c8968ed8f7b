/** Resolves `save_cache` and `restore_cache` steps. */
import { substitute } from './expressions.ts';
import type { Values } from './expressions.ts';
import { list, mapping, optionalText, requireKeys, text } from './mapping.ts';
import type { Mapping } from './mapping.ts';
import { type When, whenOf } from './run-step.ts';

export interface SaveCacheStep {
  readonly kind: 'save_cache';
  readonly name: string;
  /** May contain templates, which are filled in when the step runs. */
  readonly key: string;
  /** Variables in these paths are not expanded. */
  readonly paths: readonly string[];
  readonly when: When;
}

export interface RestoreCacheStep {
  readonly kind: 'restore_cache';
  readonly name: string;
  /** Tried in this order; each also matches longer keys that begin with it. */
  readonly keys: readonly string[];
}

export function resolveSaveCache(body: unknown, values: Values, where: string): SaveCacheStep {
  const step = resolved(body, values, where, ['name', 'key', 'paths', 'when']);
  const paths = list(step.paths, `${where}.paths`).map((path) => text(path, `${where}.paths`));
  return {
    kind: 'save_cache',
    name: optionalText(step.name, `${where}.name`) ?? 'Saving cache',
    key: text(step.key, `${where}.key`),
    paths,
    when: whenOf(step.when, where),
  };
}

export function resolveRestoreCache(body: unknown, values: Values, where: string): RestoreCacheStep {
  const step = resolved(body, values, where, ['name', 'key', 'keys']);
  const keys = step.keys === undefined ? [step.key] : list(step.keys, `${where}.keys`);
  return {
    kind: 'restore_cache',
    name: optionalText(step.name, `${where}.name`) ?? 'Restoring cache',
    keys: keys.map((key) => text(key, `${where}.key`)),
  };
}

function resolved(body: unknown, values: Values, where: string, keys: readonly string[]): Mapping {
  const step = mapping(substitute(mapping(body, where), values, where), where);
  requireKeys(step, keys, where);
  return step;
}
