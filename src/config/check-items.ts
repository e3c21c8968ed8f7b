/** Checks that concern several outputs at once. */
import { resolve } from 'node:path';
import type { Destination } from '../outputs/destination.ts';
import type { Findings } from './findings.ts';
import { isOutput } from './items.ts';
import type { Origin, PlacedItem, Setting } from './settings.ts';

/** How messages name an item's place. */
export type PlaceOf = (item: PlacedItem) => Origin;

/** Two services of one name could not be told apart. */
export function refuseDuplicateNames(items: readonly PlacedItem[], placeOf: PlaceOf, findings: Findings): void {
  const seen = new Set<string>();
  for (const item of items) {
    if (item.name === undefined) continue;
    if (seen.has(item.name)) findings.refuse(placeOf(item), `duplicate name: "${item.name}"`);
    seen.add(item.name);
  }
}

/** Two outputs in one place would overwrite each other's files; tbot only logs it. */
export function refuseSharedDestinations(
  storage: Setting<Destination> | undefined,
  items: readonly PlacedItem[],
  { placeOf, workingDirectory }: { readonly placeOf: PlaceOf; readonly workingDirectory: string },
  findings: Findings,
): void {
  const takenBy = new Map<string, string>();
  const storageKey = storage === undefined ? undefined : keyOf(storage.value, workingDirectory);
  if (storageKey !== undefined) takenBy.set(storageKey, 'storage');
  // A service is left out of the run and writes nothing.
  for (const item of items.filter(isOutput)) {
    const key = 'destination' in item ? keyOf(item.destination, workingDirectory) : undefined;
    if (key === undefined) continue;
    const other = takenBy.get(key);
    if (other === undefined) takenBy.set(key, item.path);
    else findings.refuse(placeOf(item), `has the same destination (${key}) as ${other}; each needs its own`);
  }
}

/** What makes two destinations the same; nothing for memory, which is never shared. */
function keyOf(destination: Destination, workingDirectory: string): string | undefined {
  switch (destination.type) {
    case 'directory':
      return resolve(workingDirectory, destination.path);
    case 'kubernetes_secret':
      return `secret ${destination.namespace ?? ''}/${destination.name}`;
    case 'memory':
      return undefined;
    default:
      return destination satisfies never;
  }
}
