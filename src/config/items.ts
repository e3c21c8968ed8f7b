/** The items of `outputs` and `services`, which are one list: outputs, tunnels and other services. */
import * as z from 'zod/mini';
import type { ConfigLocation } from '../outputs/output.ts';
import { isTunnelType, type Tunnel, TUNNEL_FIELDS, type TunnelSettings } from '../tunnels/tunnels.ts';
import type { Output } from '../outputs/supported.ts';
import { OUTPUT_TYPES, type OutputSettings } from '../outputs/outputs.ts';
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

export type Item = OutputSettings | ArgoCdSettings | TunnelSettings | ServiceSettings;

const FIELDS: Readonly<Record<string, Field<Item>>> = {
  ...Object.fromEntries(Object.values(OUTPUT_TYPES).map(({ field, type }) => [type, field])),
  'kubernetes/argo-cd': argoCdField,
  ...TUNNEL_FIELDS,
  ...SERVICE_FIELDS,
};

/** Keys of an output in either version of the file, and the flag of tbot that is often written as one. */
export const KEYS_OF_OUTPUTS: ReadonlySet<PropertyKey> = new Set([
  ...Object.values(OUTPUT_TYPES).flatMap(({ keys }) => keys.list.map(({ key }) => key)),
  ...Object.keys(ITEM_OF_V2),
  'type',
  'destination_dir',
]);

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

/** What to write in an item without a type: the type that has most of its keys, and what replaces those of version v1. */
function typeOfItem(mapping: Mapping): string {
  const former = Object.keys(ITEM_OF_V2).filter((key) => mapping.has(key) && key !== 'kubernetes_cluster');
  const advice = former.map((key) => `; "${key}"${ITEM_OF_V2[key]?.replace(/^: it/, '') ?? ''}`);
  return `"type: ${probableType(mapping)}"${advice.join('')}`;
}

function probableType(mapping: Mapping): string {
  if (mapping.has('app')) return 'application'; // in version v1
  let best = { type: 'identity', count: 0 };
  for (const { keys, type } of Object.values(OUTPUT_TYPES)) {
    const count = keys.list.filter(({ key }) => mapping.has(key)).length;
    if (count > best.count) best = { type, count };
  }
  return best.type;
}

/** A service in its place. */
export type Service = ServiceSettings & ConfigLocation;

export type PlacedItem = Item & ConfigLocation;

interface SplitItems {
  readonly outputs: readonly Output[];
  readonly tunnels: readonly Tunnel[];
  readonly services: readonly Service[];
}

/** Outputs and tunnels without a lifetime of their own get that of the configuration. */
export function splitItems(items: readonly PlacedItem[], lifetime: Lifetime): SplitItems {
  return {
    outputs: items.filter(isOutput).map((output) => ({ ...output, ...lifetime, ...output.lifetime })),
    tunnels: items.filter(isTunnel).map((tunnel) => ({ ...tunnel, ...lifetime, ...tunnel.lifetime })),
    services: items.filter(isService),
  };
}

function isService(item: PlacedItem): item is Service {
  return isServiceType(item.type);
}

type PlacedTunnel = TunnelSettings & ConfigLocation;

export function isTunnel(item: PlacedItem): item is PlacedTunnel {
  return isTunnelType(item.type);
}

export function isOutput(item: PlacedItem): item is Exclude<PlacedItem, Service | PlacedTunnel> {
  return !isService(item) && !isTunnel(item);
}
