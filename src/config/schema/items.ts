/** The items of `outputs` and `services`, which are one list. */
import type { OutputSettings, OutputType } from '../output.ts';
import type { ServiceSettings, ServiceType } from '../service.ts';
import { application, database, identity, sshHost } from './access-outputs.ts';
import type { Field } from './field.ts';
import { argoCd, kubernetes, kubernetesV2 } from './kubernetes-outputs.ts';
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

export const outputItem: Field<Item> = byType<Item>(FIELDS, {
  absent: EMPTY_ITEM,
  unrecognized: (type) => `unrecognized output type (${type})`,
});

export const serviceItem: Field<Item> = byType<Item>(FIELDS, {
  absent: EMPTY_ITEM,
  unrecognized: (type) => `unrecognized service type (${type})`,
});
