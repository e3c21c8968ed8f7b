// Generated from proto/teleport/trust/v1/trust_service.proto by "npm run generate". Do not edit.
import { CertAuthorityV2Schema, type CertAuthorityV2 } from '../../../../gen/teleport/legacy/types_pb.ts';
import {
  DurationSchema,
  bool,
  bytes,
  list,
  message,
  optional,
  text,
  type Duration,
} from '../../../../protobuf-values.ts';
import { messageSchema, method, type MessageSchema } from '../../../../protobuf.ts';

export interface GetCertAuthoritiesRequest {
  type: string;
  includeKey: boolean;
}
export const GetCertAuthoritiesRequestSchema: MessageSchema<GetCertAuthoritiesRequest> =
  /* @__PURE__ */ messageSchema<GetCertAuthoritiesRequest>(
    () => ({ type: '', includeKey: false }),
    ({ field }) => [field(1, 'type', text), field(2, 'includeKey', bool)],
  );

export interface GetCertAuthoritiesResponse {
  certAuthoritiesV2: CertAuthorityV2[];
}
export const GetCertAuthoritiesResponseSchema: MessageSchema<GetCertAuthoritiesResponse> =
  /* @__PURE__ */ messageSchema<GetCertAuthoritiesResponse>(
    () => ({ certAuthoritiesV2: [] }),
    ({ field }) => [field(1, 'certAuthoritiesV2', list(message(CertAuthorityV2Schema)))],
  );

export interface GenerateHostCertRequest {
  key: Uint8Array;
  principals: string[];
  clusterName: string;
  role: string;
  ttl: Duration | undefined;
}
export const GenerateHostCertRequestSchema: MessageSchema<GenerateHostCertRequest> =
  /* @__PURE__ */ messageSchema<GenerateHostCertRequest>(
    () => ({ key: new Uint8Array(), principals: [], clusterName: '', role: '', ttl: undefined }),
    ({ field }) => [
      field(1, 'key', bytes),
      field(4, 'principals', list(text)),
      field(5, 'clusterName', text),
      field(6, 'role', text),
      field(7, 'ttl', optional(message(DurationSchema))),
    ],
  );

export interface GenerateHostCertResponse {
  sshCertificate: Uint8Array;
}
export const GenerateHostCertResponseSchema: MessageSchema<GenerateHostCertResponse> =
  /* @__PURE__ */ messageSchema<GenerateHostCertResponse>(
    () => ({ sshCertificate: new Uint8Array() }),
    ({ field }) => [field(1, 'sshCertificate', bytes)],
  );

export const TrustService = {
  getCertAuthorities: /* @__PURE__ */ method(
    '/teleport.trust.v1.TrustService/GetCertAuthorities',
    GetCertAuthoritiesRequestSchema,
    GetCertAuthoritiesResponseSchema,
  ),
  generateHostCert: /* @__PURE__ */ method(
    '/teleport.trust.v1.TrustService/GenerateHostCert',
    GenerateHostCertRequestSchema,
    GenerateHostCertResponseSchema,
  ),
};
