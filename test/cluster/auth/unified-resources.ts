/** ListUnifiedResources: everything that the caller's roles allow, all kinds together, each resource once. */
import { z } from 'zod';
import { callerOf } from './caller.ts';
import type { Call } from './grpc.ts';
import { compareText, filterOf, registered, toPaginated, type Registered } from './registered-resources.ts';
import { badParameter, TeleportError } from '../data/teleport-errors.ts';
import { mayReach, type World } from '../world.ts';

const Request = z.object({
  kinds: z.array(z.string()),
  limit: z.number(),
  start_key: z.string(),
  labels: z.record(z.string(), z.string()),
  predicate_expression: z.string(),
  search_keywords: z.array(z.string()),
  sort_by: z.object({ is_desc: z.boolean(), field: z.string() }).nullable(),
  pinned_only: z.boolean(),
  include_logins: z.boolean(),
});

type UnifiedRequest = z.infer<typeof Request>;

/** The prefix of every key (`lib/services/unified_resource.go`). */
const PREFIX = '/unified_resource';
const TYPES = ['node', 'db_server', 'app_server', 'kube_server'] as const;
/** Before this version, a client had to give an order. */
const FIRST_MAJOR_WITH_DEFAULT_ORDER = 18;

export function listUnifiedResources(world: World, message: unknown, call: Call): object {
  const request = Request.parse(message);
  Object.assign(call.record.fields, { kinds: request.kinds, startKey: request.start_key });
  const { roles } = callerOf(call);
  if (request.pinned_only) {
    return {}; // a bot pins nothing
  }
  const matches = filterOf(request);
  const keyOf = keyBy(world, request);
  const found = TYPES.flatMap((type) => onceEach(registered(world, type)))
    .filter(({ kind, labels, reachedAs }) => isWanted(request, kind) && mayReach(world, roles, reachedAs, labels))
    .filter(matches)
    .map((resource) => ({ key: keyOf(resource), resource }));
  const { next, shown } = page(found, request);
  return {
    resources: shown.map(({ resource }) => toPaginated(world, roles, resource, request.include_logins)),
    next_key: next?.key ?? '',
  };
}

function isWanted({ kinds }: UnifiedRequest, kind: string): boolean {
  return kinds.length === 0 || kinds.includes(kind);
}

/** A resource that several agents serve is kept once, by its name. */
function onceEach(resources: readonly Registered[]): Registered[] {
  const seen = new Set<string>();
  return resources.filter(({ name }) => {
    const isFirst = !seen.has(name);
    seen.add(name);
    return isFirst;
  });
}

/** Lowercase names, so that the order ignores case; a node has its host name. */
function keyBy({ profile }: World, { sort_by: sortBy }: UnifiedRequest): (resource: Registered) => string {
  const field = sortBy?.field ?? '';
  const nameOf = ({ name, shownAs }: Registered): string =>
    (shownAs === undefined ? name : `${shownAs}/${name}`).toLowerCase();
  if (field === 'kind') {
    return (resource) => `${PREFIX}/${resource.kind}/${nameOf(resource)}`;
  }
  if (field === '' && profile.major < FIRST_MAJOR_WITH_DEFAULT_ORDER) {
    throw badParameter('getting sort tree\n\tsort field is required');
  }
  if (field === 'name' || field === '') {
    return (resource) => `${PREFIX}/${nameOf(resource)}/${resource.kind}`;
  }
  throw new TeleportError(
    'NotImplemented',
    `getting sort tree\n\tsorting by ${field} is not supported in unified resources`,
  );
}

interface Keyed {
  readonly key: string;
  readonly resource: Registered;
}

/** A limit below one means no limit. The next page begins with the first remaining resource. */
function page(
  found: readonly Keyed[],
  { limit, sort_by: sortBy, start_key: start }: UnifiedRequest,
): { readonly shown: readonly Keyed[]; readonly next: Keyed | undefined } {
  const direction = sortBy?.is_desc === true ? -1 : 1;
  const ordered = found
    .toSorted((a, b) => direction * compareText(a.key, b.key))
    .filter(({ key }) => start === '' || direction * compareText(key, start) >= 0);
  return limit > 0 ? { shown: ordered.slice(0, limit), next: ordered[limit] } : { shown: ordered, next: undefined };
}
