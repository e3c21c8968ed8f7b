// Generated from proto/teleport/legacy/types.proto by "npm run generate". Do not edit.
import { bytes, list, map, message, optional, text } from '../../../protobuf-values.ts';
import { messageSchema, type MessageSchema } from '../../../protobuf.ts';

export interface RoleV6 {
  spec: RoleSpecV6 | undefined;
}
export const RoleV6Schema: MessageSchema<RoleV6> = /* @__PURE__ */ messageSchema<RoleV6>(
  () => ({ spec: undefined }),
  ({ field }) => [field(5, 'spec', optional(message(RoleSpecV6Schema)))],
);

export interface RoleSpecV6 {
  allow: RoleConditions | undefined;
}
export const RoleSpecV6Schema: MessageSchema<RoleSpecV6> = /* @__PURE__ */ messageSchema<RoleSpecV6>(
  () => ({ allow: undefined }),
  ({ field }) => [field(2, 'allow', optional(message(RoleConditionsSchema)))],
);

export interface RoleConditions {
  impersonate: ImpersonateConditions | undefined;
}
export const RoleConditionsSchema: MessageSchema<RoleConditions> = /* @__PURE__ */ messageSchema<RoleConditions>(
  () => ({ impersonate: undefined }),
  ({ field }) => [field(14, 'impersonate', optional(message(ImpersonateConditionsSchema)))],
);

export interface ImpersonateConditions {
  roles: string[];
}
export const ImpersonateConditionsSchema: MessageSchema<ImpersonateConditions> =
  /* @__PURE__ */ messageSchema<ImpersonateConditions>(
    () => ({ roles: [] }),
    ({ field }) => [field(2, 'roles', list(text))],
  );

export interface CertAuthorityV2 {
  spec: CertAuthoritySpecV2 | undefined;
}
export const CertAuthorityV2Schema: MessageSchema<CertAuthorityV2> = /* @__PURE__ */ messageSchema<CertAuthorityV2>(
  () => ({ spec: undefined }),
  ({ field }) => [field(5, 'spec', optional(message(CertAuthoritySpecV2Schema)))],
);

export interface CertAuthoritySpecV2 {
  type: string;
  clusterName: string;
  activeKeys: CAKeySet | undefined;
  additionalTrustedKeys: CAKeySet | undefined;
}
export const CertAuthoritySpecV2Schema: MessageSchema<CertAuthoritySpecV2> =
  /* @__PURE__ */ messageSchema<CertAuthoritySpecV2>(
    () => ({ type: '', clusterName: '', activeKeys: undefined, additionalTrustedKeys: undefined }),
    ({ field }) => [
      field(1, 'type', text),
      field(2, 'clusterName', text),
      field(11, 'activeKeys', optional(message(CAKeySetSchema))),
      field(12, 'additionalTrustedKeys', optional(message(CAKeySetSchema))),
    ],
  );

export interface CAKeySet {
  ssh: SSHKeyPair[];
  tls: TLSKeyPair[];
}
export const CAKeySetSchema: MessageSchema<CAKeySet> = /* @__PURE__ */ messageSchema<CAKeySet>(
  () => ({ ssh: [], tls: [] }),
  ({ field }) => [field(1, 'ssh', list(message(SSHKeyPairSchema))), field(2, 'tls', list(message(TLSKeyPairSchema)))],
);

export interface SSHKeyPair {
  publicKey: Uint8Array;
}
export const SSHKeyPairSchema: MessageSchema<SSHKeyPair> = /* @__PURE__ */ messageSchema<SSHKeyPair>(
  () => ({ publicKey: new Uint8Array() }),
  ({ field }) => [field(1, 'publicKey', bytes)],
);

export interface TLSKeyPair {
  cert: Uint8Array;
}
export const TLSKeyPairSchema: MessageSchema<TLSKeyPair> = /* @__PURE__ */ messageSchema<TLSKeyPair>(
  () => ({ cert: new Uint8Array() }),
  ({ field }) => [field(1, 'cert', bytes)],
);

export interface Metadata {
  name: string;
  labels: Record<string, string>;
}
export const MetadataSchema: MessageSchema<Metadata> = /* @__PURE__ */ messageSchema<Metadata>(
  () => ({ name: '', labels: {} }),
  ({ field }) => [field(1, 'name', text), field(5, 'labels', map)],
);

export interface WebSessionV2 {
  metadata: Metadata | undefined;
}
export const WebSessionV2Schema: MessageSchema<WebSessionV2> = /* @__PURE__ */ messageSchema<WebSessionV2>(
  () => ({ metadata: undefined }),
  ({ field }) => [field(4, 'metadata', optional(message(MetadataSchema)))],
);

export interface DatabaseServerV3 {
  spec: DatabaseServerSpecV3 | undefined;
}
export const DatabaseServerV3Schema: MessageSchema<DatabaseServerV3> = /* @__PURE__ */ messageSchema<DatabaseServerV3>(
  () => ({ spec: undefined }),
  ({ field }) => [field(5, 'spec', optional(message(DatabaseServerSpecV3Schema)))],
);

export interface DatabaseServerSpecV3 {
  database: DatabaseV3 | undefined;
}
export const DatabaseServerSpecV3Schema: MessageSchema<DatabaseServerSpecV3> =
  /* @__PURE__ */ messageSchema<DatabaseServerSpecV3>(
    () => ({ database: undefined }),
    ({ field }) => [field(12, 'database', optional(message(DatabaseV3Schema)))],
  );

export interface DatabaseV3 {
  metadata: Metadata | undefined;
  spec: DatabaseSpecV3 | undefined;
}
export const DatabaseV3Schema: MessageSchema<DatabaseV3> = /* @__PURE__ */ messageSchema<DatabaseV3>(
  () => ({ metadata: undefined, spec: undefined }),
  ({ field }) => [
    field(4, 'metadata', optional(message(MetadataSchema))),
    field(5, 'spec', optional(message(DatabaseSpecV3Schema))),
  ],
);

export interface DatabaseSpecV3 {
  protocol: string;
  uri: string;
}
export const DatabaseSpecV3Schema: MessageSchema<DatabaseSpecV3> = /* @__PURE__ */ messageSchema<DatabaseSpecV3>(
  () => ({ protocol: '', uri: '' }),
  ({ field }) => [field(1, 'protocol', text), field(2, 'uri', text)],
);

export interface AppServerV3 {
  spec: AppServerSpecV3 | undefined;
}
export const AppServerV3Schema: MessageSchema<AppServerV3> = /* @__PURE__ */ messageSchema<AppServerV3>(
  () => ({ spec: undefined }),
  ({ field }) => [field(5, 'spec', optional(message(AppServerSpecV3Schema)))],
);

export interface AppServerSpecV3 {
  app: AppV3 | undefined;
}
export const AppServerSpecV3Schema: MessageSchema<AppServerSpecV3> = /* @__PURE__ */ messageSchema<AppServerSpecV3>(
  () => ({ app: undefined }),
  ({ field }) => [field(5, 'app', optional(message(AppV3Schema)))],
);

export interface AppV3 {
  metadata: Metadata | undefined;
  spec: AppSpecV3 | undefined;
}
export const AppV3Schema: MessageSchema<AppV3> = /* @__PURE__ */ messageSchema<AppV3>(
  () => ({ metadata: undefined, spec: undefined }),
  ({ field }) => [
    field(4, 'metadata', optional(message(MetadataSchema))),
    field(5, 'spec', optional(message(AppSpecV3Schema))),
  ],
);

export interface AppSpecV3 {
  uri: string;
  publicAddr: string;
}
export const AppSpecV3Schema: MessageSchema<AppSpecV3> = /* @__PURE__ */ messageSchema<AppSpecV3>(
  () => ({ uri: '', publicAddr: '' }),
  ({ field }) => [field(1, 'uri', text), field(2, 'publicAddr', text)],
);

export interface KubernetesServerV3 {
  spec: KubernetesServerSpecV3 | undefined;
}
export const KubernetesServerV3Schema: MessageSchema<KubernetesServerV3> =
  /* @__PURE__ */ messageSchema<KubernetesServerV3>(
    () => ({ spec: undefined }),
    ({ field }) => [field(5, 'spec', optional(message(KubernetesServerSpecV3Schema)))],
  );

export interface KubernetesServerSpecV3 {
  cluster: KubernetesClusterV3 | undefined;
}
export const KubernetesServerSpecV3Schema: MessageSchema<KubernetesServerSpecV3> =
  /* @__PURE__ */ messageSchema<KubernetesServerSpecV3>(
    () => ({ cluster: undefined }),
    ({ field }) => [field(5, 'cluster', optional(message(KubernetesClusterV3Schema)))],
  );

export interface KubernetesClusterV3 {
  metadata: Metadata | undefined;
}
export const KubernetesClusterV3Schema: MessageSchema<KubernetesClusterV3> =
  /* @__PURE__ */ messageSchema<KubernetesClusterV3>(
    () => ({ metadata: undefined }),
    ({ field }) => [field(4, 'metadata', optional(message(MetadataSchema)))],
  );
