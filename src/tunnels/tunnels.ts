/** The list of tunnel types, and functions that look up what the type of a tunnel declares. */
import type { Field } from '../schema/fields.ts';
import { applicationProxy } from './application-proxy.ts';
import { applicationTunnel } from './application-tunnel.ts';
import { databaseTunnel } from './database-tunnel.ts';
import { kubernetesTunnel } from './kubernetes-tunnel.ts';
import { sshMultiplexer } from './ssh-multiplexer.ts';
import type { OpenTunnel, TunnelOf, TunnelSettingsOf, TunnelType } from './tunnel-type.ts';
import type { TunnelWork } from './work.ts';

/** To add a type, declare it in its own file and add a line here. */
export const TUNNEL_TYPES = {
  'database-tunnel': databaseTunnel,
  'application-tunnel': applicationTunnel,
  'application-proxy': applicationProxy,
  'kubernetes-tunnel': kubernetesTunnel,
  'ssh-multiplexer': sshMultiplexer,
};

export type TunnelTypeName = keyof typeof TUNNEL_TYPES;
type Values = { [T in TunnelTypeName]: (typeof TUNNEL_TYPES)[T] extends TunnelType<T, infer V> ? V : never };

/** A tunnel as a file or flags give it. */
export type TunnelSettings<T extends TunnelTypeName = TunnelTypeName> = {
  [P in T]: TunnelSettingsOf<P, Values[P]>;
}[T];

/** A tunnel in a plan. */
export type Tunnel<T extends TunnelTypeName = TunnelTypeName> = { [P in T]: TunnelOf<P, Values[P]> }[T];

const TYPES: { readonly [T in TunnelTypeName]: TunnelType<T, Values[T]> } = TUNNEL_TYPES;

/** By type. */
export const TUNNEL_FIELDS: Readonly<Record<string, Field<TunnelSettings>>> = Object.fromEntries(
  Object.values(TUNNEL_TYPES).map(({ field, type }): [string, Field<TunnelSettings>] => [type, field]),
);

export function isTunnelType(type: string): type is TunnelTypeName {
  return Object.hasOwn(TUNNEL_TYPES, type);
}

/** @throws MachineIdError as listening and requesting certificates do */
export function openTunnel<T extends TunnelTypeName>(tunnel: Tunnel<T>, work: TunnelWork): Promise<OpenTunnel> {
  return TYPES[tunnel.type].open(tunnel, work);
}

/** What it leads to, in the words of the configuration. */
export function resourceOf<T extends TunnelTypeName>(tunnel: Tunnel<T>): string | undefined {
  return TYPES[tunnel.type].resource(tunnel);
}

/** Its own name, or else its resource, or else its type. */
export function tunnelName(tunnel: Tunnel): string {
  return tunnel.name ?? resourceOf(tunnel) ?? tunnel.type;
}

/** The variable that says where it listens. */
export function addressVariable(tunnel: Tunnel): string {
  return `MACHINE_ID_TUNNEL_${tunnelName(tunnel)
    .toUpperCase()
    .replace(/[^A-Z0-9]+/g, '_')}`;
}
