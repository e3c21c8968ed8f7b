// Generated from proto/teleport/transport/v1/transport_service.proto by "npm run generate". Do not edit.
import { bytes, message, optional, text } from '../../../../protobuf-values.ts';
import { messageSchema, method, type MessageSchema } from '../../../../protobuf.ts';

export interface ProxySSHRequest {
  dialTarget: TargetHost | undefined;
  ssh: Frame | undefined;
}
export const ProxySSHRequestSchema: MessageSchema<ProxySSHRequest> = /* @__PURE__ */ messageSchema<ProxySSHRequest>(
  () => ({ dialTarget: undefined, ssh: undefined }),
  ({ field }) => [
    field(1, 'dialTarget', optional(message(TargetHostSchema))),
    field(2, 'ssh', optional(message(FrameSchema))),
  ],
);

export interface ProxySSHResponse {
  ssh: Frame | undefined;
}
export const ProxySSHResponseSchema: MessageSchema<ProxySSHResponse> = /* @__PURE__ */ messageSchema<ProxySSHResponse>(
  () => ({ ssh: undefined }),
  ({ field }) => [field(2, 'ssh', optional(message(FrameSchema)))],
);

export interface ProxyClusterRequest {
  cluster: string;
  frame: Frame | undefined;
}
export const ProxyClusterRequestSchema: MessageSchema<ProxyClusterRequest> =
  /* @__PURE__ */ messageSchema<ProxyClusterRequest>(
    () => ({ cluster: '', frame: undefined }),
    ({ field }) => [field(1, 'cluster', text), field(2, 'frame', optional(message(FrameSchema)))],
  );

export interface ProxyClusterResponse {
  frame: Frame | undefined;
}
export const ProxyClusterResponseSchema: MessageSchema<ProxyClusterResponse> =
  /* @__PURE__ */ messageSchema<ProxyClusterResponse>(
    () => ({ frame: undefined }),
    ({ field }) => [field(1, 'frame', optional(message(FrameSchema)))],
  );

export interface Frame {
  payload: Uint8Array;
}
export const FrameSchema: MessageSchema<Frame> = /* @__PURE__ */ messageSchema<Frame>(
  () => ({ payload: new Uint8Array() }),
  ({ field }) => [field(1, 'payload', bytes)],
);

export interface TargetHost {
  hostPort: string;
  cluster: string;
  loginName: string;
}
export const TargetHostSchema: MessageSchema<TargetHost> = /* @__PURE__ */ messageSchema<TargetHost>(
  () => ({ hostPort: '', cluster: '', loginName: '' }),
  ({ field }) => [field(1, 'hostPort', text), field(2, 'cluster', text), field(3, 'loginName', text)],
);

export const TransportService = {
  proxySSH: /* @__PURE__ */ method(
    '/teleport.transport.v1.TransportService/ProxySSH',
    ProxySSHRequestSchema,
    ProxySSHResponseSchema,
  ),
  proxyCluster: /* @__PURE__ */ method(
    '/teleport.transport.v1.TransportService/ProxyCluster',
    ProxyClusterRequestSchema,
    ProxyClusterResponseSchema,
  ),
};
