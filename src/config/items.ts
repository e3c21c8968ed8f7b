/** Tells the outputs that a run writes from the services that only a daemon offers. */
import type { Lifetime, Output, OutputSettings, OutputType, Placement } from './output.ts';
import type { Service, ServiceSettings, ServiceType } from './service.ts';
import type { PlacedItem } from './settings.ts';

export interface SplitItems {
  readonly outputs: readonly Output[];
  readonly services: readonly Service[];
}

const SERVICE_TYPES: ReadonlySet<OutputType | ServiceType> = new Set<ServiceType>([
  'database-tunnel',
  'application-tunnel',
  'application-proxy',
  'ssh-multiplexer',
  'spiffe-workload-api',
  'workload-identity-api',
  'example',
]);

/** Outputs without a lifetime of their own get that of the configuration. */
export function splitItems(items: readonly PlacedItem[], lifetime: Lifetime): SplitItems {
  return {
    outputs: items.filter(isOutput).map((output) => ({ ...output, ...lifetime, ...output.lifetime })),
    services: items.filter(isService),
  };
}

function isService(item: PlacedItem): item is ServiceSettings & Placement {
  return SERVICE_TYPES.has(item.type);
}

export function isOutput(item: PlacedItem): item is OutputSettings & Placement {
  return !isService(item);
}
