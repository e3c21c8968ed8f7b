/** Visits every value of a tree. */
import { isMapping } from '../job-runner/mapping.ts';
import type { Mapping } from '../job-runner/mapping.ts';

export interface Place {
  readonly key: string;
  readonly value: unknown;
  /** Keys and indexes from the root, joined by dots. */
  readonly path: string;
}

export function places(value: unknown, path: string): readonly Place[] {
  const entries = typeof value === 'object' && value !== null ? Object.entries<unknown>({ ...value }) : [];
  return entries.flatMap(([key, item]) => {
    const here = { key, value: item, path: `${path}.${key}` };
    return [here, ...places(item, here.path)];
  });
}

/** Every `run` step, at whatever depth of `when`, `unless` or `steps`. */
export function runs(value: unknown, path: string): readonly Place[] {
  return places(value, path).filter(({ key }) => key === 'run');
}

export function strings(value: unknown, path: string): readonly (Place & { readonly value: string })[] {
  return places(value, path).flatMap((place) =>
    typeof place.value === 'string' ? [{ ...place, value: place.value }] : [],
  );
}

/** The text at a path such as `commands.join.steps.0.run.command`. */
export function textAt(value: unknown, path: string): string | undefined {
  return strings(value, '').find((place) => place.path === `.${path}`)?.value;
}

export function textOrEmpty(value: unknown): string {
  return typeof value === 'string' ? value : '';
}

/** The named entries of one section of an orb. */
export function section(orb: Mapping, name: string): readonly (readonly [path: string, component: Mapping])[] {
  const components = orb[name];
  if (!isMapping(components)) return [];
  return Object.entries(components).map(([key, component]) => [
    `${name}.${key}`,
    isMapping(component) ? component : {},
  ]);
}
