// Generated from proto/teleport/workloadidentity/v1/revocation_service.proto by "npm run generate". Do not edit.
import { bytes } from '../../../../protobuf-values.ts';
import { messageSchema, method, type MessageSchema } from '../../../../protobuf.ts';

export type StreamSignedCRLRequest = Record<string, never>;
export const StreamSignedCRLRequestSchema: MessageSchema<StreamSignedCRLRequest> =
  /* @__PURE__ */ messageSchema<StreamSignedCRLRequest>(() => ({}));

export interface StreamSignedCRLResponse {
  crl: Uint8Array;
}
export const StreamSignedCRLResponseSchema: MessageSchema<StreamSignedCRLResponse> =
  /* @__PURE__ */ messageSchema<StreamSignedCRLResponse>(
    () => ({ crl: new Uint8Array() }),
    ({ field }) => [field(1, 'crl', bytes)],
  );

export const WorkloadIdentityRevocationService = {
  streamSignedCRL: /* @__PURE__ */ method(
    '/teleport.workloadidentity.v1.WorkloadIdentityRevocationService/StreamSignedCRL',
    StreamSignedCRLRequestSchema,
    StreamSignedCRLResponseSchema,
  ),
};
