/** Finds the resource that an output names, among those that its roles allow it to see. */
import { MachineIdError } from '../errors.ts';
import { oneLine } from '../net/network-error.ts';

/** What every Teleport resource reports about itself. */
export interface Named {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
}

export interface Wanted {
  readonly name: string;
  /** As messages call it: `Kubernetes cluster`. */
  readonly kind: string;
  /** As in `outputs[0].kubernetes_cluster`. */
  readonly location: string;
  /** What to compare the name with. */
  readonly hint: string;
}

/** Teleport's discovery gives resources long names, and keeps the short one in this label. */
const DISCOVERED_NAME = 'teleport.internal/discovered-name';

/** Teleport's predicate for a resource by its own name or the one under which it was discovered. */
export function namePredicate(name: string): string {
  const literal = JSON.stringify(name);
  return `(name == ${literal}) || (labels["${DISCOVERED_NAME}"] == ${literal})`;
}

/** For resources that Teleport only finds by their own name. */
export function ownNamePredicate(name: string): string {
  return `name == ${JSON.stringify(name)}`;
}

/**
 * The resource with exactly this name, or else the only one that was discovered under it.
 * @param found several may be the same one, listed once for each agent that serves it
 * @throws MachineIdError RESOURCE_UNKNOWN
 */
export function findResource<T extends Named>(found: readonly T[], { name, kind, location, hint }: Wanted): T {
  const exact = found.find((one) => one.name === name);
  if (exact !== undefined) return exact;
  const [discovered, ...others] = onceEach(found.filter(({ labels }) => labels[DISCOVERED_NAME] === name));
  if (discovered === undefined) {
    throw new MachineIdError('RESOURCE_UNKNOWN', `${location}: ${kind} "${oneLine(name)}" not found`, { hint });
  }
  if (others.length === 0) return discovered;
  const names = [discovered, ...others].map((one) => oneLine(one.name)).sort();
  throw new MachineIdError(
    'RESOURCE_UNKNOWN',
    `${location}: "${oneLine(name)}" was discovered more than once as a ${kind}: ${names.join(', ')}`,
    { hint: 'Write the full name that Teleport gave the resource when it discovered it, instead of the short one.' },
  );
}

/** How messages name a setting of an output: `outputs[0].service`, or the flag that stands for the whole output. */
export function settingPlace(path: string, key: string): string {
  return path.startsWith('--') ? path : `${path}.${key}`;
}

/** The first of each name. */
export function onceEach<T extends Named>(resources: readonly T[]): T[] {
  const byName = new Map<string, T>();
  for (const one of resources) if (!byName.has(one.name)) byName.set(one.name, one);
  return [...byName.values()];
}
