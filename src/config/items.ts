/** The items of `outputs` and `services`, which are one list. */
import * as z from 'zod/mini';
import type { ConfigLocation, Output, OutputSettings, OutputType, Selector, SvidRequest } from '../outputs/output.ts';
import { COMMON, type Common, commonOf, itemSection, type Lifetime } from '../schema/common.ts';
import { destination, type DirectoryDestination } from '../schema/destination.ts';
import {
  anyExpression,
  byType,
  type Field,
  ignored,
  list,
  optionalFlag,
  pathList,
  pathText,
  refuse,
  requiredPath,
  requiredText,
  text,
} from '../schema/fields.ts';
import { ITEM_OF_V2 } from '../schema/other-names.ts';
import type { Mapping } from '../schema/yaml/tree.ts';
import { application, database, identity, sshHost } from './access-outputs.ts';
import { argoCd, kubernetes, kubernetesV2 } from './kubernetes-outputs.ts';
import {
  awsRolesAnywhere,
  selector,
  spiffeSvid,
  svidRequest,
  workloadIdentityJwt,
  workloadIdentityX509,
} from './workload-outputs.ts';

// Services that listen for as long as tbot runs.

const listen = requiredPath('listen: should not be empty');

const databaseTunnel: Field<DatabaseTunnelService> = z.pipe(
  itemSection({
    ...COMMON,
    listen,
    service: requiredText('service: should not be empty'),
    database: requiredText('database: should not be empty'),
    username: requiredText('username: should not be empty'),
  }),
  z.transform((fields, context): DatabaseTunnelService => ({
    type: 'database-tunnel',
    ...commonOf(fields, context),
    listen: fields.listen,
    service: fields.service,
    database: fields.database,
    username: fields.username,
  })),
);

const applicationTunnel: Field<ApplicationTunnelService> = z.pipe(
  itemSection({ ...COMMON, listen, app_name: requiredText('app_name: should not be empty') }),
  z.transform((fields, context): ApplicationTunnelService => ({
    type: 'application-tunnel',
    ...commonOf(fields, context),
    listen: fields.listen,
    appName: fields.app_name,
  })),
);

const applicationProxy: Field<ApplicationProxyService> = z.pipe(
  itemSection({ ...COMMON, listen }),
  z.transform((fields, context): ApplicationProxyService => ({
    type: 'application-proxy',
    ...commonOf(fields, context),
    listen: fields.listen,
  })),
);

const sshMultiplexer: Field<SshMultiplexerService> = z.pipe(
  itemSection({
    ...COMMON,
    destination,
    enable_resumption: optionalFlag,
    proxy_templates_path: pathText,
    proxy_command: pathList,
    relay_server: text,
  }),
  z.transform((fields, context): SshMultiplexerService => {
    if (fields.destination.type !== 'directory') {
      return refuse(context, 'destination: must be of type `directory`', ['destination', 'type']);
    }
    return {
      type: 'ssh-multiplexer',
      ...commonOf(fields, context),
      destination: fields.destination,
      enableResumption: fields.enable_resumption ?? true,
      proxyTemplatesPath: fields.proxy_templates_path,
      proxyCommand: fields.proxy_command,
      relayServer: fields.relay_server,
    };
  }),
);

/** `attestors` is for the daemon alone: it tells how to find out who is at the other end of the socket. */
const spiffeWorkloadApi: Field<SpiffeWorkloadApiService> = z.pipe(
  itemSection({ ...COMMON, listen, svids: list(svidRequest), attestors: ignored, jwt_svid_ttl: ignored }),
  z.transform((fields, context): SpiffeWorkloadApiService => ({
    type: 'spiffe-workload-api',
    ...commonOf(fields, context, { limitTtl: false }),
    listen: fields.listen,
    svids: fields.svids,
  })),
);

const workloadIdentityApi: Field<WorkloadIdentityApiService> = z.pipe(
  itemSection({ ...COMMON, listen, selector, attestors: ignored }),
  z.transform((fields, context): WorkloadIdentityApiService => ({
    type: 'workload-identity-api',
    ...commonOf(fields, context, { limitTtl: false }),
    listen: fields.listen,
    selector: fields.selector,
  })),
);

const example: Field<ExampleService> = z.pipe(
  itemSection({ ...COMMON, message: anyExpression }),
  z.transform((fields, context): ExampleService => ({
    type: 'example',
    ...commonOf(fields, context),
    message: fields.message ?? '',
  })),
);

export type Item = OutputSettings | ServiceSettings;

const FIELDS: { readonly [T in OutputType | ServiceType]: Field<Extract<Item, { type: T }>> } = {
  identity,
  application,
  database,
  kubernetes,
  'kubernetes/v2': kubernetesV2,
  'kubernetes/argo-cd': argoCd,
  ssh_host: sshHost,
  'spiffe-svid': spiffeSvid,
  'workload-identity-x509': workloadIdentityX509,
  'workload-identity-jwt': workloadIdentityJwt,
  'workload-identity-aws-roles-anywhere': awsRolesAnywhere,
  'database-tunnel': databaseTunnel,
  'application-tunnel': applicationTunnel,
  'application-proxy': applicationProxy,
  'ssh-multiplexer': sshMultiplexer,
  'spiffe-workload-api': spiffeWorkloadApi,
  'workload-identity-api': workloadIdentityApi,
  example,
};

const EMPTY_ITEM = 'an item must be a mapping with a "type"';
const ITEM_INSTEAD = (type: string): string =>
  `{type: ${Object.keys(FIELDS).includes(type) ? type : 'identity'}, destination: {type: directory, path: DIR}}`;

const ANY_ITEM = z.object({ destination: z.optional(destination) });

/** By the first of these keys that an item has; version v1 has no types. */
const TYPES: readonly (readonly [key: string, type: OutputType])[] = [
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

export const outputItem: Field<Item> = byType<Item>(FIELDS, {
  absent: EMPTY_ITEM,
  unrecognized: (type) => `unrecognized output type (${type})`,
  untyped: typeOfItem,
  instead: ITEM_INSTEAD,
  always: ANY_ITEM,
});

export const serviceItem: Field<Item> = byType<Item>(FIELDS, {
  absent: EMPTY_ITEM,
  unrecognized: (type) => `unrecognized service type (${type})`,
  untyped: typeOfItem,
  instead: ITEM_INSTEAD,
  always: ANY_ITEM,
});

// The services that listen for as long as tbot runs, each with the settings of its type.

interface Listening extends Common {
  /** `tcp://host:port` or `unix:///path`. */
  readonly listen: string;
}

interface DatabaseTunnelService extends Listening {
  readonly type: 'database-tunnel';
  readonly service: string;
  readonly database: string;
  readonly username: string;
}

interface ApplicationTunnelService extends Listening {
  readonly type: 'application-tunnel';
  readonly appName: string;
}

interface ApplicationProxyService extends Listening {
  readonly type: 'application-proxy';
}

interface SshMultiplexerService extends Common {
  readonly type: 'ssh-multiplexer';
  readonly destination: DirectoryDestination;
  readonly enableResumption: boolean;
  readonly proxyTemplatesPath: string | undefined;
  readonly proxyCommand: readonly string[];
  readonly relayServer: string | undefined;
}

interface SpiffeWorkloadApiService extends Listening {
  readonly type: 'spiffe-workload-api';
  readonly svids: readonly SvidRequest[];
}

interface WorkloadIdentityApiService extends Listening {
  readonly type: 'workload-identity-api';
  readonly selector: Selector;
}

interface ExampleService extends Common {
  readonly type: 'example';
  readonly message: string;
}

type ServiceSettings =
  | DatabaseTunnelService
  | ApplicationTunnelService
  | ApplicationProxyService
  | SshMultiplexerService
  | SpiffeWorkloadApiService
  | WorkloadIdentityApiService
  | ExampleService;

export type ServiceType = ServiceSettings['type'];

/** A service in its place. */
export type Service = ServiceSettings & ConfigLocation;

// Tells the outputs that a run writes from the services that only a daemon offers.

export type PlacedItem = Item & ConfigLocation;

interface SplitItems {
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

function isService(item: PlacedItem): item is ServiceSettings & ConfigLocation {
  return SERVICE_TYPES.has(item.type);
}

export function isOutput(item: PlacedItem): item is OutputSettings & ConfigLocation {
  return !isService(item);
}
