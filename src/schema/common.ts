/** The keys that every output and service shares. */
import * as z from 'zod/mini';
import {
  type Context,
  duration,
  type Field,
  ignored,
  refuse,
  requiredText,
  section,
  type SectionOf,
  text,
  textList,
} from './fields.ts';
import { ITEM_OF_V2 } from './other-names.ts';

/** A lifetime of its own that an output asks for. */
export interface Lifetime {
  readonly ttlMs: number;
  readonly renewalIntervalMs: number;
}

/** What every output and service has. */
export interface Common {
  readonly name: string | undefined;
  /** Empty means every role that the bot may impersonate. */
  readonly roles: readonly string[];
  /** `undefined` means the lifetime of the whole configuration. */
  readonly lifetime: Lifetime | undefined;
}

export const NAMED = { type: ignored, name: text, credential_ttl: duration, renewal_interval: duration };
export const COMMON = { ...NAMED, roles: textList };

type Shape = Parameters<typeof section>[0];

/** An output or a service with the keys of `shape`. */
export function itemSection<S extends Shape>(shape: S): Field<SectionOf<S>> {
  return section(shape, undefined, ITEM_OF_V2);
}

/** The name of what an output gives access to. */
export function resourceName(empty: string, advice?: string): Field<string> {
  return z.pipe(
    requiredText(empty),
    z.transform((name: string, context) => {
      const refusal = refuseWildcard(name, advice);
      return refusal === undefined ? name : refuse(context, refusal);
    }),
  );
}

/** Auth refuses a longer life of a bot's certificates whatever its roles allow. */
const MAX_TTL_MS = 7 * 24 * 60 * 60 * 1000;

type NamedFields = SectionOf<typeof NAMED> & { readonly roles?: readonly string[] };

/** SVIDs are not certificates of the bot, so their lifetime has no limit here. */
export function commonOf(fields: NamedFields, context: Context, { limitTtl = true } = {}): Common {
  if (fields.name !== undefined && !/^[A-Za-z0-9_+-]+$/.test(fields.name)) {
    refuse(context, `invalid name: "${fields.name}"; only letters, digits, "-", "_" and "+" may be in it`, ['name']);
  }
  return { name: fields.name, roles: fields.roles ?? [], lifetime: lifetimeOf(fields, context, limitTtl) };
}

function lifetimeOf(fields: NamedFields, context: Context, limitTtl: boolean): Lifetime | undefined {
  const { credential_ttl: ttlMs, renewal_interval: renewalIntervalMs } = fields;
  if (ttlMs === undefined && renewalIntervalMs === undefined) return undefined;
  if (ttlMs === undefined || renewalIntervalMs === undefined) {
    return refuse(context, 'credential_ttl and renewal_interval must both be specified if either is');
  }
  if (ttlMs < 0) refuse(context, 'credential_ttl must be positive', ['credential_ttl']);
  if (renewalIntervalMs < 0) refuse(context, 'renewal_interval must be positive', ['renewal_interval']);
  if (limitTtl && ttlMs > MAX_TTL_MS) {
    refuse(context, 'credential_ttl exceeds the maximum TTL of 7 days (168h)', ['credential_ttl']);
  }
  return { ttlMs, renewalIntervalMs };
}

// Finds `*` where Teleport takes it literally: in names, and in the labels by which tbot chooses Kubernetes clusters.

/** Why `name` is no name of a resource, or `undefined` when it may be one. No name in Teleport holds a `*`. */
export function refuseWildcard(name: string, advice = 'write the whole name'): string | undefined {
  return name.includes('*')
    ? `"*" is not a wildcard in a name, and "${name}" would match nothing: ${advice}`
    : undefined;
}

/** What a name of a Kubernetes cluster can be replaced by. */
export const KUBERNETES_ADVICE =
  'write the whole name, or choose by labels: "type: kubernetes/v2" and "selectors: [{labels: {KEY: VALUE}}]"';

/** A sentence about a label that is unlikely to be meant, or `undefined`. */
export function literalWildcard(key: string, value: string): string | undefined {
  if (!`${key}${value}`.includes('*')) return undefined;
  return `"*" is not a wildcard here, and only a cluster whose label is "${key}: ${value}" fits; write labels that the clusters have, or their names`;
}
