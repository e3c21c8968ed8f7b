/** The keys that every output and service shares. */
import * as z from 'zod/mini';
import {
  type Context,
  duration,
  type Field,
  ignored,
  noteUnknownKeys,
  refuse,
  refuseKind,
  requiredText,
  text,
  textList,
} from './fields.ts';
import { documentation, key, type Keys, keys } from './keys.ts';
import { ITEM_OF_V2 } from './other-names.ts';
import { isMapping } from './yaml/tree.ts';

/** A lifetime that an output requests instead of the configuration's. */
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

/** What an output has that gives none of these. */
export const COMMON_DEFAULTS: Common = { name: undefined, roles: [], lifetime: undefined };

const NAMED = {
  type: key('type', ignored, documentation('The type of the output.')),
  name: key('name', text, documentation('Name of the output in messages.')),
  ttlMs: key('credential_ttl', duration, documentation('Lifetime of its credentials. Requires renewal_interval.')),
  renewalIntervalMs: key(
    'renewal_interval',
    duration,
    documentation('Required by credential_ttl; a single run renews nothing.'),
  ),
};

export const COMMON_KEYS = keys({
  ...NAMED,
  roles: key(
    'roles',
    textList,
    documentation('The roles to request instead of all roles of the bot, up to Teleport 18.'),
  ),
});

export const NAMED_KEYS = keys(NAMED);

interface ItemOptions<V> {
  /** Whether it has the key `roles`; by default it does. */
  readonly takesRoles?: boolean | undefined;
  /** Whether its lifetime has the limit of the bot's certificates. SVIDs have none; by default there is one. */
  readonly limitTtl?: boolean | undefined;
  /** Checks values against each other, when each by itself is fine. */
  readonly check?: ((values: V & Common, context: Context) => void) | undefined;
}

/** An output or a service with the keys of its type. */
export function item<const T extends string, V extends object>(
  type: T,
  own: Keys<V>,
  options: ItemOptions<V>,
): Field<V & Common & { readonly type: T }> {
  const { check, limitTtl = true, takesRoles = true } = options;
  const shared = takesRoles ? COMMON_KEYS : NAMED_KEYS;
  const known = [...shared.list, ...own.list].map((one) => one.key);
  return z.transform((input, context): V & Common & { readonly type: T } => {
    const issuesBefore = context.issues.length;
    if (!isMapping(input)) return refuseKind(context, input, 'a mapping');
    noteUnknownKeys(input, known, context, { otherNames: ITEM_OF_V2 });
    const common = shared.read(input, context);
    const values = own.read(input, context);
    if (context.issues.length > issuesBefore) return z.NEVER;
    const whole = { type, ...values, ...commonOf(common, context, limitTtl) };
    check?.(whole, context);
    return whole;
  });
}

/** The Auth Service refuses longer certificates for a bot, whatever its roles allow. */
const MAX_TTL_MS = 7 * 24 * 60 * 60 * 1000;

interface CommonValues {
  readonly name: string | undefined;
  readonly ttlMs: number | undefined;
  readonly renewalIntervalMs: number | undefined;
  readonly roles?: readonly string[];
}

function commonOf(values: CommonValues, context: Context, limitTtl: boolean): Common {
  const { name, roles = [] } = values;
  if (name !== undefined && !/^[A-Za-z0-9_+-]+$/.test(name)) {
    refuse(context, `invalid name: "${name}"; use only letters, digits, "-", "_" and "+"`, ['name']);
  }
  return { name, roles, lifetime: lifetimeOf(values, context, limitTtl) };
}

function lifetimeOf(
  { ttlMs, renewalIntervalMs }: CommonValues,
  context: Context,
  limitTtl: boolean,
): Lifetime | undefined {
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

// Names of resources, and labels: `*` is not a wildcard in either.

/** The name of the resource that an output gives access to. */
export function resourceName(empty: string, advice?: string): Field<string> {
  return z.pipe(
    requiredText(empty),
    z.transform((name: string, context) => {
      const refusal = refuseWildcard(name, advice);
      return refusal === undefined ? name : refuse(context, refusal);
    }),
  );
}

/** Why `name` cannot be the name of a resource, or `undefined` if it can. No name in Teleport contains a `*`. */
export function refuseWildcard(name: string, advice = 'write the full name'): string | undefined {
  return name.includes('*')
    ? `"*" is not a wildcard in a name, and "${name}" would match nothing: ${advice}`
    : undefined;
}

/** A warning about a label that is probably not meant literally, or `undefined`. */
export function literalWildcard(key: string, value: string): string | undefined {
  if (!`${key}${value}`.includes('*')) return undefined;
  return `"*" is not a wildcard here: only a cluster with the label "${key}: ${value}" matches; write labels that the clusters have, or their names`;
}
