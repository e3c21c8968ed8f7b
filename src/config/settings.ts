/** Settings as one source gives them, before the sources are put together. */
import type { Destination } from '../outputs/destination.ts';
import type { Placement } from './output.ts';
import type { Item } from './schema/items.ts';

/** Where a setting was given. */
export interface Origin {
  /** `onboarding.token`, `--token` or `TELEPORT_BOT_TOKEN`. */
  readonly path: string;
  readonly line: number | undefined;
  /** For people: `tbot.yaml line 3`, or the flag or variable itself. */
  readonly label: string;
}

export interface Setting<T> {
  readonly value: T;
  readonly origin: Origin;
}

export type PlacedItem = Item & Placement;

/** What is `undefined` was not given. */
export interface Settings {
  readonly proxyServer?: Setting<string> | undefined;
  readonly authServer?: Setting<string> | undefined;
  readonly useProxyAddr?: Setting<boolean> | undefined;
  readonly token?: Setting<string> | undefined;
  readonly joinMethod?: Setting<string> | undefined;
  readonly caPins?: Setting<readonly string[]> | undefined;
  readonly caPath?: Setting<string> | undefined;
  readonly insecure?: Setting<boolean> | undefined;
  readonly fips?: Setting<boolean> | undefined;
  readonly scoped?: Setting<boolean> | undefined;
  readonly storage?: Setting<Destination> | undefined;
  readonly items?: Setting<readonly PlacedItem[]> | undefined;
  readonly ttlMs?: Setting<number> | undefined;
  readonly renewalIntervalMs?: Setting<number> | undefined;
  readonly leewayMs?: Setting<number> | undefined;
  readonly oneshot?: Setting<boolean> | undefined;
  readonly debug?: Setting<boolean> | undefined;
  readonly logFormat?: Setting<'text' | 'json'> | undefined;
  readonly diagAddr?: Setting<string> | undefined;
}

/** The origin of a flag or an environment variable. */
export function named(name: string): Origin {
  return { path: name, line: undefined, label: name };
}

/** `value` as given at `origin`; nothing when there is no value. */
export function setting<T>(value: T | undefined, origin: Origin): Setting<T> | undefined {
  return value === undefined ? undefined : { value, origin };
}

/** How a message names the setting: `--token`, or `onboarding.token (tbot.yaml line 3)`. */
export function nameOf({ path, label }: Origin): string {
  return path === label ? path : `${path} (${label})`;
}
