/** The keys that every output and service shares. */
import type { Common, Lifetime } from '../output.ts';
import type { Context } from './field.ts';
import { duration, ignored, refuse, text, textList } from './field.ts';
import type { SectionOf } from './section.ts';

export const NAMED = { type: ignored, name: text, credential_ttl: duration, renewal_interval: duration };
export const COMMON = { ...NAMED, roles: textList };

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
