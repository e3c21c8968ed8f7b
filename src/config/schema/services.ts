/** Services that listen for as long as tbot runs. */
import * as z from 'zod/mini';
import type {
  ApplicationProxyService,
  ApplicationTunnelService,
  DatabaseTunnelService,
  ExampleService,
  SpiffeWorkloadApiService,
  SshMultiplexerService,
  WorkloadIdentityApiService,
} from '../service.ts';
import { COMMON, commonOf, itemSection } from './common.ts';
import { destination } from './destination.ts';
import type { Field } from './field.ts';
import {
  ignored,
  list,
  optionalFlag,
  pathList,
  pathText,
  refuse,
  requiredPath,
  requiredText,
  anyExpression,
  text,
} from './field.ts';
import { selector, svidRequest } from './workload-outputs.ts';

const listen = requiredPath('listen: should not be empty');

export const databaseTunnel: Field<DatabaseTunnelService> = z.pipe(
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

export const applicationTunnel: Field<ApplicationTunnelService> = z.pipe(
  itemSection({ ...COMMON, listen, app_name: requiredText('app_name: should not be empty') }),
  z.transform((fields, context): ApplicationTunnelService => ({
    type: 'application-tunnel',
    ...commonOf(fields, context),
    listen: fields.listen,
    appName: fields.app_name,
  })),
);

export const applicationProxy: Field<ApplicationProxyService> = z.pipe(
  itemSection({ ...COMMON, listen }),
  z.transform((fields, context): ApplicationProxyService => ({
    type: 'application-proxy',
    ...commonOf(fields, context),
    listen: fields.listen,
  })),
);

export const sshMultiplexer: Field<SshMultiplexerService> = z.pipe(
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
export const spiffeWorkloadApi: Field<SpiffeWorkloadApiService> = z.pipe(
  itemSection({ ...COMMON, listen, svids: list(svidRequest), attestors: ignored, jwt_svid_ttl: ignored }),
  z.transform((fields, context): SpiffeWorkloadApiService => ({
    type: 'spiffe-workload-api',
    ...commonOf(fields, context, { limitTtl: false }),
    listen: fields.listen,
    svids: fields.svids,
  })),
);

export const workloadIdentityApi: Field<WorkloadIdentityApiService> = z.pipe(
  itemSection({ ...COMMON, listen, selector, attestors: ignored }),
  z.transform((fields, context): WorkloadIdentityApiService => ({
    type: 'workload-identity-api',
    ...commonOf(fields, context, { limitTtl: false }),
    listen: fields.listen,
    selector: fields.selector,
  })),
);

export const example: Field<ExampleService> = z.pipe(
  itemSection({ ...COMMON, message: anyExpression }),
  z.transform((fields, context): ExampleService => ({
    type: 'example',
    ...commonOf(fields, context),
    message: fields.message ?? '',
  })),
);
