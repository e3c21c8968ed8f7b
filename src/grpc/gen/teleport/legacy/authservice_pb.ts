// Generated from proto/teleport/legacy/authservice.proto by "npm run generate". Do not edit.
import {
  AppServerV3Schema,
  DatabaseServerV3Schema,
  KubernetesServerV3Schema,
  RoleV6Schema,
  WebSessionV2Schema,
  type AppServerV3,
  type DatabaseServerV3,
  type KubernetesServerV3,
  type WebSessionV2,
} from '../../../gen/teleport/legacy/types_pb.ts';
import {
  TimestampSchema,
  bool,
  bytes,
  int32,
  list,
  map,
  message,
  optional,
  text,
  type Timestamp,
} from '../../../protobuf-values.ts';
import { messageSchema, method, type Init, type MessageSchema } from '../../../protobuf.ts';

export interface RegisterUsingTokenRequest {
  role: string;
  token: string;
  publicTlsKey: Uint8Array;
  publicSshKey: Uint8Array;
  idToken: string;
  expires: Timestamp | undefined;
}
export const RegisterUsingTokenRequestSchema: MessageSchema<RegisterUsingTokenRequest> =
  /* @__PURE__ */ messageSchema<RegisterUsingTokenRequest>(
    () => ({
      role: '',
      token: '',
      publicTlsKey: new Uint8Array(),
      publicSshKey: new Uint8Array(),
      idToken: '',
      expires: undefined,
    }),
    ({ field }) => [
      field(3, 'role', text),
      field(4, 'token', text),
      field(7, 'publicTlsKey', bytes),
      field(8, 'publicSshKey', bytes),
      field(11, 'idToken', text),
      field(12, 'expires', optional(message(TimestampSchema))),
    ],
  );

export type PingRequest = Record<string, never>;
export const PingRequestSchema: MessageSchema<PingRequest> = /* @__PURE__ */ messageSchema<PingRequest>(() => ({}));

export interface PingResponse {
  clusterName: string;
  serverVersion: string;
  proxyPublicAddr: string;
  signatureAlgorithmSuite: number;
}
export const PingResponseSchema: MessageSchema<PingResponse> = /* @__PURE__ */ messageSchema<PingResponse>(
  () => ({ clusterName: '', serverVersion: '', proxyPublicAddr: '', signatureAlgorithmSuite: 0 }),
  ({ field }) => [
    field(1, 'clusterName', text),
    field(2, 'serverVersion', text),
    field(4, 'proxyPublicAddr', text),
    field(9, 'signatureAlgorithmSuite', int32),
  ],
);

export type GetClusterCACertRequest = Record<string, never>;
export const GetClusterCACertRequestSchema: MessageSchema<GetClusterCACertRequest> =
  /* @__PURE__ */ messageSchema<GetClusterCACertRequest>(() => ({}));

export interface GetClusterCACertResponse {
  tlsCa: Uint8Array;
}
export const GetClusterCACertResponseSchema: MessageSchema<GetClusterCACertResponse> =
  /* @__PURE__ */ messageSchema<GetClusterCACertResponse>(
    () => ({ tlsCa: new Uint8Array() }),
    ({ field }) => [field(1, 'tlsCa', bytes)],
  );

export interface GetRoleRequest {
  name: string;
}
export const GetRoleRequestSchema: MessageSchema<GetRoleRequest> = /* @__PURE__ */ messageSchema<GetRoleRequest>(
  () => ({ name: '' }),
  ({ field }) => [field(1, 'name', text)],
);

export interface UserCertsRequest {
  publicKey: Uint8Array;
  username: string;
  expires: Timestamp | undefined;
  format: string;
  routeToCluster: string;
  kubernetesCluster: string;
  routeToDatabase: RouteToDatabase | undefined;
  routeToApp: RouteToApp | undefined;
  roleRequests: string[];
  useRoleRequests: boolean;
  sshPublicKey: Uint8Array;
  tlsPublicKey: Uint8Array;
  reissuableRoleImpersonation: boolean;
}
export const UserCertsRequestSchema: MessageSchema<UserCertsRequest> = /* @__PURE__ */ messageSchema<UserCertsRequest>(
  () => ({
    publicKey: new Uint8Array(),
    username: '',
    expires: undefined,
    format: '',
    routeToCluster: '',
    kubernetesCluster: '',
    routeToDatabase: undefined,
    routeToApp: undefined,
    roleRequests: [],
    useRoleRequests: false,
    sshPublicKey: new Uint8Array(),
    tlsPublicKey: new Uint8Array(),
    reissuableRoleImpersonation: false,
  }),
  ({ field }) => [
    field(1, 'publicKey', bytes),
    field(2, 'username', text),
    field(3, 'expires', optional(message(TimestampSchema))),
    field(4, 'format', text),
    field(5, 'routeToCluster', text),
    field(7, 'kubernetesCluster', text),
    field(8, 'routeToDatabase', optional(message(RouteToDatabaseSchema))),
    field(11, 'routeToApp', optional(message(RouteToAppSchema))),
    field(12, 'roleRequests', list(text)),
    field(14, 'useRoleRequests', bool),
    field(22, 'sshPublicKey', bytes),
    field(23, 'tlsPublicKey', bytes),
    field(27, 'reissuableRoleImpersonation', bool),
  ],
);

export interface RouteToDatabase {
  serviceName: string;
  protocol: string;
  username: string;
  database: string;
}
export const RouteToDatabaseSchema: MessageSchema<RouteToDatabase> = /* @__PURE__ */ messageSchema<RouteToDatabase>(
  () => ({ serviceName: '', protocol: '', username: '', database: '' }),
  ({ field }) => [
    field(1, 'serviceName', text),
    field(2, 'protocol', text),
    field(3, 'username', text),
    field(4, 'database', text),
  ],
);

export interface RouteToApp {
  name: string;
  sessionId: string;
  publicAddr: string;
  clusterName: string;
}
export const RouteToAppSchema: MessageSchema<RouteToApp> = /* @__PURE__ */ messageSchema<RouteToApp>(
  () => ({ name: '', sessionId: '', publicAddr: '', clusterName: '' }),
  ({ field }) => [
    field(1, 'name', text),
    field(2, 'sessionId', text),
    field(3, 'publicAddr', text),
    field(4, 'clusterName', text),
  ],
);

export interface CreateAppSessionRequest {
  username: string;
  publicAddr: string;
  clusterName: string;
}
export const CreateAppSessionRequestSchema: MessageSchema<CreateAppSessionRequest> =
  /* @__PURE__ */ messageSchema<CreateAppSessionRequest>(
    () => ({ username: '', publicAddr: '', clusterName: '' }),
    ({ field }) => [field(1, 'username', text), field(3, 'publicAddr', text), field(4, 'clusterName', text)],
  );

export interface CreateAppSessionResponse {
  session: WebSessionV2 | undefined;
}
export const CreateAppSessionResponseSchema: MessageSchema<CreateAppSessionResponse> =
  /* @__PURE__ */ messageSchema<CreateAppSessionResponse>(
    () => ({ session: undefined }),
    ({ field }) => [field(1, 'session', optional(message(WebSessionV2Schema)))],
  );

export interface ListResourcesRequest {
  resourceType: string;
  namespace: string;
  limit: number;
  startKey: string;
  labels: Record<string, string>;
  predicateExpression: string;
}
export const ListResourcesRequestSchema: MessageSchema<ListResourcesRequest> =
  /* @__PURE__ */ messageSchema<ListResourcesRequest>(
    () => ({ resourceType: '', namespace: '', limit: 0, startKey: '', labels: {}, predicateExpression: '' }),
    ({ field }) => [
      field(1, 'resourceType', text),
      field(2, 'namespace', text),
      field(3, 'limit', int32),
      field(4, 'startKey', text),
      field(5, 'labels', map),
      field(6, 'predicateExpression', text),
    ],
  );

export interface ListResourcesResponse {
  resources: PaginatedResource[];
  nextKey: string;
}
export const ListResourcesResponseSchema: MessageSchema<ListResourcesResponse> =
  /* @__PURE__ */ messageSchema<ListResourcesResponse>(
    () => ({ resources: [], nextKey: '' }),
    ({ field }) => [field(1, 'resources', list(message(PaginatedResourceSchema))), field(2, 'nextKey', text)],
  );

export interface PaginatedResource {
  resource:
    | { case: 'databaseServer'; value: DatabaseServerV3 }
    | { case: 'appServer'; value: AppServerV3 }
    | { case: 'kubernetesServer'; value: KubernetesServerV3 }
    | { case: undefined; value?: undefined };
}
export const PaginatedResourceSchema: MessageSchema<PaginatedResource> =
  /* @__PURE__ */ messageSchema<PaginatedResource>(
    () => ({ resource: { case: undefined } }),
    ({ member }) => [
      member(
        1,
        'database_server',
        message(DatabaseServerV3Schema),
        ({ resource: one }: Init<PaginatedResource>) => (one?.case === 'databaseServer' ? one.value : undefined),
        (into, value) => {
          into.resource = { case: 'databaseServer', value };
        },
      ),
      member(
        2,
        'app_server',
        message(AppServerV3Schema),
        ({ resource: one }: Init<PaginatedResource>) => (one?.case === 'appServer' ? one.value : undefined),
        (into, value) => {
          into.resource = { case: 'appServer', value };
        },
      ),
      member(
        7,
        'kubernetes_server',
        message(KubernetesServerV3Schema),
        ({ resource: one }: Init<PaginatedResource>) => (one?.case === 'kubernetesServer' ? one.value : undefined),
        (into, value) => {
          into.resource = { case: 'kubernetesServer', value };
        },
      ),
    ],
  );

export interface Certs {
  ssh: Uint8Array;
  tls: Uint8Array;
  tlsCaCerts: Uint8Array[];
  sshCaCerts: Uint8Array[];
}
export const CertsSchema: MessageSchema<Certs> = /* @__PURE__ */ messageSchema<Certs>(
  () => ({ ssh: new Uint8Array(), tls: new Uint8Array(), tlsCaCerts: [], sshCaCerts: [] }),
  ({ field }) => [
    field(1, 'ssh', bytes),
    field(2, 'tls', bytes),
    field(3, 'tlsCaCerts', list(bytes)),
    field(4, 'sshCaCerts', list(bytes)),
  ],
);

export const AuthService = {
  ping: /* @__PURE__ */ method('/proto.AuthService/Ping', PingRequestSchema, PingResponseSchema),
  getRole: /* @__PURE__ */ method('/proto.AuthService/GetRole', GetRoleRequestSchema, RoleV6Schema),
  generateUserCerts: /* @__PURE__ */ method(
    '/proto.AuthService/GenerateUserCerts',
    UserCertsRequestSchema,
    CertsSchema,
  ),
  listResources: /* @__PURE__ */ method(
    '/proto.AuthService/ListResources',
    ListResourcesRequestSchema,
    ListResourcesResponseSchema,
  ),
  createAppSession: /* @__PURE__ */ method(
    '/proto.AuthService/CreateAppSession',
    CreateAppSessionRequestSchema,
    CreateAppSessionResponseSchema,
  ),
  getClusterCACert: /* @__PURE__ */ method(
    '/proto.AuthService/GetClusterCACert',
    GetClusterCACertRequestSchema,
    GetClusterCACertResponseSchema,
  ),
};

export const JoinService = {
  registerUsingToken: /* @__PURE__ */ method(
    '/proto.JoinService/RegisterUsingToken',
    RegisterUsingTokenRequestSchema,
    CertsSchema,
  ),
};
