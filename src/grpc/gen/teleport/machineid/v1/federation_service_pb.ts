// Generated from proto/teleport/machineid/v1/federation_service.proto by "npm run generate". Do not edit.
import { int32, list, message, optional, text } from '../../../../protobuf-values.ts';
import { messageSchema, method, type MessageSchema } from '../../../../protobuf.ts';

export interface ListSPIFFEFederationsRequest {
  pageSize: number;
  pageToken: string;
}
export const ListSPIFFEFederationsRequestSchema: MessageSchema<ListSPIFFEFederationsRequest> =
  /* @__PURE__ */ messageSchema<ListSPIFFEFederationsRequest>(
    () => ({ pageSize: 0, pageToken: '' }),
    ({ field }) => [field(1, 'pageSize', int32), field(2, 'pageToken', text)],
  );

export interface ListSPIFFEFederationsResponse {
  spiffeFederations: SPIFFEFederation[];
  nextPageToken: string;
}
export const ListSPIFFEFederationsResponseSchema: MessageSchema<ListSPIFFEFederationsResponse> =
  /* @__PURE__ */ messageSchema<ListSPIFFEFederationsResponse>(
    () => ({ spiffeFederations: [], nextPageToken: '' }),
    ({ field }) => [
      field(1, 'spiffeFederations', list(message(SPIFFEFederationSchema))),
      field(2, 'nextPageToken', text),
    ],
  );

export interface SPIFFEFederation {
  metadata: FederationMetadata | undefined;
  status: SPIFFEFederationStatus | undefined;
}
export const SPIFFEFederationSchema: MessageSchema<SPIFFEFederation> = /* @__PURE__ */ messageSchema<SPIFFEFederation>(
  () => ({ metadata: undefined, status: undefined }),
  ({ field }) => [
    field(4, 'metadata', optional(message(FederationMetadataSchema))),
    field(6, 'status', optional(message(SPIFFEFederationStatusSchema))),
  ],
);

export interface FederationMetadata {
  name: string;
}
export const FederationMetadataSchema: MessageSchema<FederationMetadata> =
  /* @__PURE__ */ messageSchema<FederationMetadata>(
    () => ({ name: '' }),
    ({ field }) => [field(1, 'name', text)],
  );

export interface SPIFFEFederationStatus {
  currentBundle: string;
}
export const SPIFFEFederationStatusSchema: MessageSchema<SPIFFEFederationStatus> =
  /* @__PURE__ */ messageSchema<SPIFFEFederationStatus>(
    () => ({ currentBundle: '' }),
    ({ field }) => [field(1, 'currentBundle', text)],
  );

export const SPIFFEFederationService = {
  listSPIFFEFederations: /* @__PURE__ */ method(
    '/teleport.machineid.v1.SPIFFEFederationService/ListSPIFFEFederations',
    ListSPIFFEFederationsRequestSchema,
    ListSPIFFEFederationsResponseSchema,
  ),
};
