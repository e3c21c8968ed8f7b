/** Loads the gRPC services that this folder's own proto files describe. */
import { join } from 'node:path';
import { loadSync, type ServiceDefinition } from '@grpc/proto-loader';

export type MethodDefinition = ServiceDefinition[string];

const PROTO_FILES = [
  'authservice.proto',
  'trust_service.proto',
  'bot_instance_service.proto',
  'clusterconfig_service.proto',
  'join_service.proto',
  'legacy_join_service.proto',
  'presence_service.proto',
  'transport_service.proto',
  'users_service.proto',
  'workload_issuance.proto',
  'workload_revocation.proto',
  'spiffe_signing.proto',
  'spiffe_federation.proto',
];

const packages = loadSync(PROTO_FILES, {
  includeDirs: [join(import.meta.dirname, 'proto')],
  keepCase: true,
  longs: Number,
  defaults: true,
  oneofs: true,
});

/** @param name the full name, such as `proto.AuthService` */
export function serviceDefinition(name: string): ServiceDefinition {
  const definition = packages[name];
  if (definition === undefined || isMessageOrEnum(definition)) {
    throw new Error(`no service ${name} in the proto files`);
  }
  return definition;
}

export function methodDefinition(service: string, name: string): MethodDefinition {
  const method = serviceDefinition(service)[name];
  if (method === undefined) {
    throw new Error(`no method ${name} in ${service}`);
  }
  return method;
}

function isMessageOrEnum<T extends object>(definition: T): definition is Extract<T, { readonly format: string }> {
  return 'format' in definition;
}
