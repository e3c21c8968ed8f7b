/** The keys that every output and service shares. */
import * as z from 'zod/mini';
import type { Common, Lifetime } from '../output.ts';
import { refuseWildcard } from '../wildcards.ts';
import type { Context, Field } from './field.ts';
import { duration, ignored, refuse, requiredText, text, textList } from './field.ts';
import { ITEM_OF_V2 } from './other-names.ts';
import { section, type SectionOf } from './section.ts';

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
const LONGEST_TTL_MS = 7 * 24 * 60 * 60 * 1000;

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
  if (limitTtl && ttlMs > LONGEST_TTL_MS) {
    refuse(context, 'credential_ttl exceeds the maximum TTL of 7 days (168h)', ['credential_ttl']);
  }
  return { ttlMs, renewalIntervalMs };
}
