// Generated from proto/teleport/workloadidentity/v1/issuance_service.proto by "npm run generate". Do not edit.
import {
  DurationSchema,
  TimestampSchema,
  bool,
  bytes,
  list,
  message,
  optional,
  text,
  type Duration,
  type Timestamp,
} from '../../../../protobuf-values.ts';
import { messageSchema, method, type Init, type MessageSchema } from '../../../../protobuf.ts';

export interface X509SVIDParams {
  publicKey: Uint8Array;
  useIssuerOverrides: boolean;
}
export const X509SVIDParamsSchema: MessageSchema<X509SVIDParams> = /* @__PURE__ */ messageSchema<X509SVIDParams>(
  () => ({ publicKey: new Uint8Array(), useIssuerOverrides: false }),
  ({ field }) => [field(1, 'publicKey', bytes), field(2, 'useIssuerOverrides', bool)],
);

export interface JWTSVIDParams {
  audiences: string[];
}
export const JWTSVIDParamsSchema: MessageSchema<JWTSVIDParams> = /* @__PURE__ */ messageSchema<JWTSVIDParams>(
  () => ({ audiences: [] }),
  ({ field }) => [field(1, 'audiences', list(text))],
);

export interface X509SVIDCredential {
  cert: Uint8Array;
  chain: Uint8Array[];
}
export const X509SVIDCredentialSchema: MessageSchema<X509SVIDCredential> =
  /* @__PURE__ */ messageSchema<X509SVIDCredential>(
    () => ({ cert: new Uint8Array(), chain: [] }),
    ({ field }) => [field(1, 'cert', bytes), field(3, 'chain', list(bytes))],
  );

export interface JWTSVIDCredential {
  jwt: string;
}
export const JWTSVIDCredentialSchema: MessageSchema<JWTSVIDCredential> =
  /* @__PURE__ */ messageSchema<JWTSVIDCredential>(
    () => ({ jwt: '' }),
    ({ field }) => [field(1, 'jwt', text)],
  );

export interface Credential {
  expiresAt: Timestamp | undefined;
  workloadIdentityName: string;
  spiffeId: string;
  credential:
    | { case: 'x509Svid'; value: X509SVIDCredential }
    | { case: 'jwtSvid'; value: JWTSVIDCredential }
    | { case: undefined; value?: undefined };
}
export const CredentialSchema: MessageSchema<Credential> = /* @__PURE__ */ messageSchema<Credential>(
  () => ({ expiresAt: undefined, workloadIdentityName: '', spiffeId: '', credential: { case: undefined } }),
  ({ field, member }) => [
    field(2, 'expiresAt', optional(message(TimestampSchema))),
    field(4, 'workloadIdentityName', text),
    field(6, 'spiffeId', text),
    member(
      7,
      'x509_svid',
      message(X509SVIDCredentialSchema),
      ({ credential: one }: Init<Credential>) => (one?.case === 'x509Svid' ? one.value : undefined),
      (into, value) => {
        into.credential = { case: 'x509Svid', value };
      },
    ),
    member(
      8,
      'jwt_svid',
      message(JWTSVIDCredentialSchema),
      ({ credential: one }: Init<Credential>) => (one?.case === 'jwtSvid' ? one.value : undefined),
      (into, value) => {
        into.credential = { case: 'jwtSvid', value };
      },
    ),
  ],
);

export interface IssueWorkloadIdentityRequest {
  name: string;
  credential:
    | { case: 'x509SvidParams'; value: X509SVIDParams }
    | { case: 'jwtSvidParams'; value: JWTSVIDParams }
    | { case: undefined; value?: undefined };
  requestedTtl: Duration | undefined;
}
export const IssueWorkloadIdentityRequestSchema: MessageSchema<IssueWorkloadIdentityRequest> =
  /* @__PURE__ */ messageSchema<IssueWorkloadIdentityRequest>(
    () => ({ name: '', credential: { case: undefined }, requestedTtl: undefined }),
    ({ field, member }) => [
      field(1, 'name', text),
      member(
        2,
        'x509_svid_params',
        message(X509SVIDParamsSchema),
        ({ credential: one }: Init<IssueWorkloadIdentityRequest>) =>
          one?.case === 'x509SvidParams' ? one.value : undefined,
        (into, value) => {
          into.credential = { case: 'x509SvidParams', value };
        },
      ),
      member(
        3,
        'jwt_svid_params',
        message(JWTSVIDParamsSchema),
        ({ credential: one }: Init<IssueWorkloadIdentityRequest>) =>
          one?.case === 'jwtSvidParams' ? one.value : undefined,
        (into, value) => {
          into.credential = { case: 'jwtSvidParams', value };
        },
      ),
      field(5, 'requestedTtl', optional(message(DurationSchema))),
    ],
  );

export interface IssueWorkloadIdentityResponse {
  credential: Credential | undefined;
}
export const IssueWorkloadIdentityResponseSchema: MessageSchema<IssueWorkloadIdentityResponse> =
  /* @__PURE__ */ messageSchema<IssueWorkloadIdentityResponse>(
    () => ({ credential: undefined }),
    ({ field }) => [field(1, 'credential', optional(message(CredentialSchema)))],
  );

export interface LabelSelector {
  key: string;
  values: string[];
}
export const LabelSelectorSchema: MessageSchema<LabelSelector> = /* @__PURE__ */ messageSchema<LabelSelector>(
  () => ({ key: '', values: [] }),
  ({ field }) => [field(1, 'key', text), field(2, 'values', list(text))],
);

export interface IssueWorkloadIdentitiesRequest {
  labelSelectors: LabelSelector[];
  credential:
    | { case: 'x509SvidParams'; value: X509SVIDParams }
    | { case: 'jwtSvidParams'; value: JWTSVIDParams }
    | { case: undefined; value?: undefined };
  requestedTtl: Duration | undefined;
}
export const IssueWorkloadIdentitiesRequestSchema: MessageSchema<IssueWorkloadIdentitiesRequest> =
  /* @__PURE__ */ messageSchema<IssueWorkloadIdentitiesRequest>(
    () => ({ labelSelectors: [], credential: { case: undefined }, requestedTtl: undefined }),
    ({ field, member }) => [
      field(1, 'labelSelectors', list(message(LabelSelectorSchema))),
      member(
        2,
        'x509_svid_params',
        message(X509SVIDParamsSchema),
        ({ credential: one }: Init<IssueWorkloadIdentitiesRequest>) =>
          one?.case === 'x509SvidParams' ? one.value : undefined,
        (into, value) => {
          into.credential = { case: 'x509SvidParams', value };
        },
      ),
      member(
        3,
        'jwt_svid_params',
        message(JWTSVIDParamsSchema),
        ({ credential: one }: Init<IssueWorkloadIdentitiesRequest>) =>
          one?.case === 'jwtSvidParams' ? one.value : undefined,
        (into, value) => {
          into.credential = { case: 'jwtSvidParams', value };
        },
      ),
      field(5, 'requestedTtl', optional(message(DurationSchema))),
    ],
  );

export interface IssueWorkloadIdentitiesResponse {
  credentials: Credential[];
}
export const IssueWorkloadIdentitiesResponseSchema: MessageSchema<IssueWorkloadIdentitiesResponse> =
  /* @__PURE__ */ messageSchema<IssueWorkloadIdentitiesResponse>(
    () => ({ credentials: [] }),
    ({ field }) => [field(1, 'credentials', list(message(CredentialSchema)))],
  );

export const WorkloadIdentityIssuanceService = {
  issueWorkloadIdentity: /* @__PURE__ */ method(
    '/teleport.workloadidentity.v1.WorkloadIdentityIssuanceService/IssueWorkloadIdentity',
    IssueWorkloadIdentityRequestSchema,
    IssueWorkloadIdentityResponseSchema,
  ),
  issueWorkloadIdentities: /* @__PURE__ */ method(
    '/teleport.workloadidentity.v1.WorkloadIdentityIssuanceService/IssueWorkloadIdentities',
    IssueWorkloadIdentitiesRequestSchema,
    IssueWorkloadIdentitiesResponseSchema,
  ),
};
