/** The items of `outputs` and `services`, which are one list. */
import * as z from 'zod/mini';
import type { ConfigLocation } from '../outputs/output.ts';
import type { Output } from '../outputs/supported.ts';
import { OUTPUT_TYPES, type OutputSettings, type TypeName } from '../outputs/types.ts';
import {
  argoCdField,
  type ArgoCdSettings,
  isServiceType,
  SERVICE_FIELDS,
  type ServiceSettings,
} from '../outputs/unwritten.ts';
import type { Lifetime } from '../schema/common.ts';
import { destination } from '../schema/destination.ts';
import { byType, type Field } from '../schema/fields.ts';
import { ITEM_OF_V2 } from '../schema/other-names.ts';
import type { Mapping } from '../schema/yaml/tree.ts';

export type Item = OutputSettings | ArgoCdSettings | ServiceSettings;

const FIELDS: Readonly<Record<string, Field<Item>>> = {
  ...Object.fromEntries(Object.values(OUTPUT_TYPES).map(({ field, type }) => [type, field])),
  'kubernetes/argo-cd': argoCdField,
  ...SERVICE_FIELDS,
};

export const outputItem = itemCalled('output');
export const serviceItem = itemCalled('service');

/** Either list may contain any type; `name` is how messages call an item. */
function itemCalled(name: 'output' | 'service'): Field<Item> {
  return byType<Item>(FIELDS, {
    absent: 'an item must be a mapping with a "type"',
    unrecognized: (type) => `unrecognized ${name} type (${type})`,
    untyped: typeOfItem,
    instead: (type) =>
      `{type: ${Object.hasOwn(FIELDS, type) ? type : 'identity'}, destination: {type: directory, path: DIR}}`,
    always: z.object({ destination: z.optional(destination) }),
  });
}

/** The type that an item probably has, by the first of these keys in it; version v1 has no types. */
const TYPES: readonly (readonly [key: string, type: TypeName])[] = [
  ['app', 'application'],
  ['app_name', 'application'],
  ['database', 'database'],
  ['service', 'database'],
  ['kubernetes_cluster', 'kubernetes'],
  ['selectors', 'kubernetes/v2'],
  ['principals', 'ssh_host'],
  ['svid', 'spiffe-svid'],
  ['audiences', 'workload-identity-jwt'],
  ['role_arn', 'workload-identity-aws-roles-anywhere'],
  ['selector', 'workload-identity-x509'],
];

function typeOfItem(mapping: Mapping): string {
  const type = TYPES.find(([key]) => mapping.has(key))?.[1] ?? 'identity';
  const former = Object.keys(ITEM_OF_V2).filter((key) => mapping.has(key) && key !== 'kubernetes_cluster');
  const advice = former.map((key) => `; "${key}"${ITEM_OF_V2[key]?.replace(/^: it/, '') ?? ''}`);
  return `"type: ${type}"${advice.join('')}`;
}

/** A service in its place. */
export type Service = ServiceSettings & ConfigLocation;

export type PlacedItem = Item & ConfigLocation;

interface SplitItems {
  readonly outputs: readonly Output[];
  readonly services: readonly Service[];
}

/** Outputs without a lifetime of their own get that of the configuration. */
export function splitItems(items: readonly PlacedItem[], lifetime: Lifetime): SplitItems {
  return {
    outputs: items.filter(isOutput).map((output) => ({ ...output, ...lifetime, ...output.lifetime })),
    services: items.filter(isService),
  };
}

function isService(item: PlacedItem): item is Service {
  return isServiceType(item.type);
}

export function isOutput(item: PlacedItem): item is Exclude<PlacedItem, Service> {
  return !isService(item);
}
