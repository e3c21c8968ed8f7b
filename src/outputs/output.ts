/** What every output has, whatever its type. */
import type { Common, Lifetime } from '../schema/common.ts';
import type { Destination, DirectoryDestination, MemoryDestination } from '../schema/destination.ts';

/** Where something is in the configuration. */
export interface ConfigLocation {
  /** As in `outputs[0]`, or `--destination`. */
  readonly path: string;
  /** Counted from 1; `undefined` when it does not come from a file. */
  readonly line: number | undefined;
}

/** An output as a file or flags give it; `V` are the values of the keys that only its type has. */
export type SettingsOf<T extends string, V> = V & Common & { readonly type: T; readonly destination: Destination };

/** In a plan, with a lifetime: the output's or else the configuration's. */
export type Placed<S> = S & ConfigLocation & Lifetime;

/** An output of any type, in a place that this version writes to. */
export interface AnyOutput extends Common, ConfigLocation, Lifetime {
  readonly type: string;
  readonly destination: DirectoryDestination | MemoryDestination;
}

/** An output of one type, in a place that this version writes to. */
export type OutputOf<T extends string, V> = V & AnyOutput & { readonly type: T };

/** What messages call an output: its own name, or else its type. */
export function outputLabel({ name, type }: Pick<AnyOutput, 'name' | 'type'>): string {
  return name ?? type;
}
