/** ListResources: what the caller's roles allow, filtered, sorted and in pages. */
import { z } from 'zod';
import { callerOf } from './caller.ts';
import type { Call } from './grpc.ts';
import {
  compareText,
  filterOf,
  isListedType,
  registered,
  toPaginated,
  type Registered,
} from './registered-resources.ts';
import { badParameter, TeleportError } from '../data/teleport-errors.ts';
import { mayReach, type World } from '../world.ts';

const Request = z.object({
  resource_type: z.string(),
  namespace: z.string(),
  limit: z.number(),
  start_key: z.string(),
  labels: z.record(z.string(), z.string()),
  predicate_expression: z.string(),
  search_keywords: z.array(z.string()),
  sort_by: z.object({ is_desc: z.boolean(), field: z.string() }).nullable(),
  need_total_count: z.boolean(),
  include_logins: z.boolean(),
});

type ListRequest = z.infer<typeof Request>;

/** The fields that each type can be sorted by (`SortByCustom` of api/types). */
const SORTABLE: Readonly<Record<string, readonly string[]>> = {
  node: ['name', 'hostname', 'addr'],
  kube_server: ['name', 'description'],
  kube_cluster: ['name', 'description'],
  db_server: ['name', 'description', 'type'],
  app_server: ['name', 'description', 'publicAddress'],
};

/** The number that Teleport lists without a limit (`DefaultChunkSize` of api/defaults). */
const DEFAULT_LIMIT = 1000;

export function listResources(world: World, message: unknown, call: Call): object {
  const request = Request.parse(message);
  Object.assign(call.record.fields, {
    resourceType: request.resource_type,
    predicate: request.predicate_expression,
    labels: request.labels,
    startKey: request.start_key,
  });
  if (request.limit < 0) {
    throw badParameter('negative parameter limit');
  }
  const { roles } = callerOf(call);
  const visible = ofType(world, request).filter(({ labels, reachedAs }) => mayReach(world, roles, reachedAs, labels));
  const { resources, ...rest } = needsWholeList(request)
    ? pageOfWholeList(visible, request)
    : pageByKey(visible, request);
  return { ...rest, resources: resources.map((one) => toPaginated(world, roles, one, request.include_logins)) };
}

/**
 * @throws TeleportError with the texts of `listResourcesWithSort` in lib/auth and of `ListResources` in lib/cache and
 * lib/services/local
 */
function ofType(world: World, request: ListRequest): readonly Registered[] {
  const type = request.resource_type;
  if (isListedType(type)) {
    return registered(world, type);
  }
  throw new TeleportError(
    'NotImplemented',
    needsWholeList(request)
      ? `resource type "${type}" is not supported for listResourcesWithSort`
      : `${type} not implemented at ListResources`,
  );
}

interface Page {
  readonly resources: readonly Registered[];
  readonly next_key: string;
  readonly total_count?: number;
}

/** `RequiresFakePagination` of api/client/proto/types.go: sorting and counting need all resources at once. */
function needsWholeList({ need_total_count: counted, resource_type: type, sort_by: sortBy }: ListRequest): boolean {
  return counted || (sortBy !== null && sortBy.field !== '') || type === 'kube_cluster';
}

/** `listResourcesWithSort` and `FakePaginate` of lib/auth and lib/services/local. */
function pageOfWholeList(visible: readonly Registered[], request: ListRequest): Page {
  const matches = filterOf(request);
  const found = withoutRepeats(sorted(visible, request).filter(matches));
  const start = Math.max(
    0,
    found.findIndex(({ key }) => key === request.start_key),
  );
  return { ...page(found.slice(start), request), total_count: found.length };
}

/** In the order of the keys; the key of the next page is that of its first resource. */
function pageByKey(visible: readonly Registered[], request: ListRequest): Page {
  const matches = filterOf(request);
  const ordered = visible.toSorted((a, b) => compareText(a.key, b.key));
  return page(
    ordered.filter((resource) => resource.key >= request.start_key && matches(resource)),
    request,
  );
}

function page(resources: readonly Registered[], { limit: asked }: ListRequest): Page {
  const limit = asked === 0 ? DEFAULT_LIMIT : asked;
  return {
    resources: resources.slice(0, limit),
    next_key: resources[limit]?.key ?? '',
  };
}

function sorted(resources: readonly Registered[], { resource_type: type, sort_by: sortBy }: ListRequest): Registered[] {
  const byKey = resources.toSorted((a, b) => compareText(a.key, b.key));
  if (sortBy === null || sortBy.field === '') {
    return byKey;
  }
  const field = sortBy.field;
  if (!SORTABLE[type]?.includes(field)) {
    throw new TeleportError('NotImplemented', `sorting by field "${field}" for resource "${type}" is not supported`);
  }
  const direction = sortBy.is_desc ? -1 : 1;
  const valueOf = ({ fields, name }: Registered): string => (field === 'name' ? name : (fields[field] ?? ''));
  return byKey.sort((a, b) => direction * compareText(valueOf(a), valueOf(b)));
}

function withoutRepeats(resources: readonly Registered[]): Registered[] {
  const seen = new Set<string>();
  return resources.filter(({ identity }) => {
    const isFirst = identity === undefined || !seen.has(identity);
    seen.add(identity ?? '');
    return isFirst;
  });
}
