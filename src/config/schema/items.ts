/** The items of `outputs` and `services`, which are one list. */
import * as z from 'zod/mini';
import type { Mapping } from '../yaml/tree.ts';
import type { OutputSettings, OutputType } from '../output.ts';
import type { ServiceSettings, ServiceType } from '../service.ts';
import { application, database, identity, sshHost } from './access-outputs.ts';
import type { Field } from './field.ts';
import { destination } from './destination.ts';
import { argoCd, kubernetes, kubernetesV2 } from './kubernetes-outputs.ts';
import { ITEM_OF_V2 } from './other-names.ts';
import { byType } from './section.ts';
import {
  applicationProxy,
  applicationTunnel,
  databaseTunnel,
  example,
  spiffeWorkloadApi,
  sshMultiplexer,
  workloadIdentityApi,
} from './services.ts';
import { awsRolesAnywhere, spiffeSvid, workloadIdentityJwt, workloadIdentityX509 } from './workload-outputs.ts';

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
