/**
 * The declaration of a tunnel type: everything that is specific to it, in one literal. To add a type, declare it in its own
 * file and add it to `tunnels.ts`; `open` gets everything that it needs from `TunnelWork`.
 */
import type { MachineIdError } from '../errors.ts';
import { type Common, item, type Lifetime } from '../schema/common.ts';
import type { Context, Field } from '../schema/fields.ts';
import type { Keys } from '../schema/keys.ts';
import type { ConfigLocation } from '../outputs/output.ts';
import type { TunnelWork } from './work.ts';

/** A tunnel as a file or flags give it; `V` are the values of the keys that only its type has. */
export type TunnelSettingsOf<T extends string, V> = V & Common & { readonly type: T };

/** A tunnel of any type, in a plan. */
export interface AnyTunnel extends Common, ConfigLocation, Lifetime {
  readonly type: string;
}

/** A tunnel of one type, in a plan. */
export type TunnelOf<T extends string, V> = V & AnyTunnel & { readonly type: T };

/** A tunnel that accepts connections. */
export interface OpenTunnel {
  /** Where clients connect to: `127.0.0.1:5432`, or the path of a socket or folder. */
  readonly address: string;
  /** What it leads to, for messages: `database orders (postgres)`. */
  readonly target: string;
  /**
   * Opens one connection like those of clients, and waits until the other end has answered. Called again until it resolves,
   * or the tunnel has used the time that it has to become ready.
   * @throws MachineIdError, or the signal's reason
   */
  readonly probe: (signal: AbortSignal) => Promise<void>;
  /** Variables by which client programs find the tunnel, exported on request. No secrets. */
  readonly clientVariables: ReadonlyMap<string, string>;
  /** Until when its certificate is valid; undefined if it has none of its own yet. */
  readonly expiresAtMs: () => number | undefined;
  /** Why its certificate could not be renewed last; undefined if the last renewal succeeded. */
  readonly renewalFailure: () => MachineIdError | undefined;
}

interface Declaration<T extends string, V extends object> {
  /** One sentence for the documentation. */
  readonly help: string | undefined;
  /** The keys of `tbot.yaml` that not every tunnel has. */
  readonly keys: Keys<V>;
  /** Checks values against each other, when each by itself is fine. */
  readonly check?: (values: V & Common, context: Context) => void;
  /** Whether the type has the key `roles`; by default it does. */
  readonly takesRoles?: boolean;
  /** What it leads to, in the words of the configuration; part of its name if it has none. */
  readonly resource: (tunnel: V) => string | undefined;
  /**
   * Listens, then requests certificates: a port that is taken is reported before the cluster is asked. Everything that it
   * starts must end with `work.signal`.
   * @throws MachineIdError
   */
  readonly open: (tunnel: TunnelOf<T, V>, work: TunnelWork) => Promise<OpenTunnel>;
}

export interface TunnelType<T extends string, V extends object> extends Declaration<T, V> {
  readonly type: T;
  /** Reads an item of `outputs` or `services`. */
  readonly field: Field<TunnelSettingsOf<T, V>>;
}

export function tunnelType<const T extends string, V extends object>(
  type: T,
  declaration: Declaration<T, V>,
): TunnelType<T, V> {
  return { ...declaration, type, field: item(type, declaration.keys, declaration) };
}
