// Generated from proto/teleport/machineid/v1/workload_identity_service.proto by "npm run generate". Do not edit.
import { DurationSchema, bytes, list, message, optional, text, type Duration } from '../../../../protobuf-values.ts';
import { messageSchema, method, type MessageSchema } from '../../../../protobuf.ts';

export interface SVIDRequest {
  publicKey: Uint8Array;
  spiffeIdPath: string;
  dnsSans: string[];
  ipSans: string[];
  hint: string;
  ttl: Duration | undefined;
}
export const SVIDRequestSchema: MessageSchema<SVIDRequest> = /* @__PURE__ */ messageSchema<SVIDRequest>(
  () => ({ publicKey: new Uint8Array(), spiffeIdPath: '', dnsSans: [], ipSans: [], hint: '', ttl: undefined }),
  ({ field }) => [
    field(1, 'publicKey', bytes),
    field(2, 'spiffeIdPath', text),
    field(3, 'dnsSans', list(text)),
    field(4, 'ipSans', list(text)),
    field(5, 'hint', text),
    field(6, 'ttl', optional(message(DurationSchema))),
  ],
);

export interface SVIDResponse {
  certificate: Uint8Array;
  spiffeId: string;
}
export const SVIDResponseSchema: MessageSchema<SVIDResponse> = /* @__PURE__ */ messageSchema<SVIDResponse>(
  () => ({ certificate: new Uint8Array(), spiffeId: '' }),
  ({ field }) => [field(1, 'certificate', bytes), field(2, 'spiffeId', text)],
);

export interface SignX509SVIDsRequest {
  svids: SVIDRequest[];
}
export const SignX509SVIDsRequestSchema: MessageSchema<SignX509SVIDsRequest> =
  /* @__PURE__ */ messageSchema<SignX509SVIDsRequest>(
    () => ({ svids: [] }),
    ({ field }) => [field(1, 'svids', list(message(SVIDRequestSchema)))],
  );

export interface SignX509SVIDsResponse {
  svids: SVIDResponse[];
}
export const SignX509SVIDsResponseSchema: MessageSchema<SignX509SVIDsResponse> =
  /* @__PURE__ */ messageSchema<SignX509SVIDsResponse>(
    () => ({ svids: [] }),
    ({ field }) => [field(1, 'svids', list(message(SVIDResponseSchema)))],
  );

export interface JWTSVIDRequest {
  spiffeIdPath: string;
  audiences: string[];
  ttl: Duration | undefined;
  hint: string;
}
export const JWTSVIDRequestSchema: MessageSchema<JWTSVIDRequest> = /* @__PURE__ */ messageSchema<JWTSVIDRequest>(
  () => ({ spiffeIdPath: '', audiences: [], ttl: undefined, hint: '' }),
  ({ field }) => [
    field(1, 'spiffeIdPath', text),
    field(2, 'audiences', list(text)),
    field(3, 'ttl', optional(message(DurationSchema))),
    field(4, 'hint', text),
  ],
);

export interface JWTSVIDResponse {
  jwt: string;
  spiffeId: string;
}
export const JWTSVIDResponseSchema: MessageSchema<JWTSVIDResponse> = /* @__PURE__ */ messageSchema<JWTSVIDResponse>(
  () => ({ jwt: '', spiffeId: '' }),
  ({ field }) => [field(1, 'jwt', text), field(3, 'spiffeId', text)],
);

export interface SignJWTSVIDsRequest {
  svids: JWTSVIDRequest[];
}
export const SignJWTSVIDsRequestSchema: MessageSchema<SignJWTSVIDsRequest> =
  /* @__PURE__ */ messageSchema<SignJWTSVIDsRequest>(
    () => ({ svids: [] }),
    ({ field }) => [field(1, 'svids', list(message(JWTSVIDRequestSchema)))],
  );

export interface SignJWTSVIDsResponse {
  svids: JWTSVIDResponse[];
}
export const SignJWTSVIDsResponseSchema: MessageSchema<SignJWTSVIDsResponse> =
  /* @__PURE__ */ messageSchema<SignJWTSVIDsResponse>(
    () => ({ svids: [] }),
    ({ field }) => [field(1, 'svids', list(message(JWTSVIDResponseSchema)))],
  );

export const WorkloadIdentityService = {
  signX509SVIDs: /* @__PURE__ */ method(
    '/teleport.machineid.v1.WorkloadIdentityService/SignX509SVIDs',
    SignX509SVIDsRequestSchema,
    SignX509SVIDsResponseSchema,
  ),
  signJWTSVIDs: /* @__PURE__ */ method(
    '/teleport.machineid.v1.WorkloadIdentityService/SignJWTSVIDs',
    SignJWTSVIDsRequestSchema,
    SignJWTSVIDsResponseSchema,
  ),
};
