// Generated from proto/teleport/machineid/v1/bot_instance_service.proto by "npm run generate". Do not edit.
import {
  DurationSchema,
  TimestampSchema,
  bool,
  message,
  optional,
  text,
  type Duration,
  type Timestamp,
} from '../../../../protobuf-values.ts';
import { messageSchema, method, type MessageSchema } from '../../../../protobuf.ts';

export interface SubmitHeartbeatRequest {
  heartbeat: BotInstanceHeartbeat | undefined;
}
export const SubmitHeartbeatRequestSchema: MessageSchema<SubmitHeartbeatRequest> =
  /* @__PURE__ */ messageSchema<SubmitHeartbeatRequest>(
    () => ({ heartbeat: undefined }),
    ({ field }) => [field(1, 'heartbeat', optional(message(BotInstanceHeartbeatSchema)))],
  );

export interface BotInstanceHeartbeat {
  recordedAt: Timestamp | undefined;
  isStartup: boolean;
  version: string;
  hostname: string;
  uptime: Duration | undefined;
  joinMethod: string;
  oneShot: boolean;
  architecture: string;
  os: string;
}
export const BotInstanceHeartbeatSchema: MessageSchema<BotInstanceHeartbeat> =
  /* @__PURE__ */ messageSchema<BotInstanceHeartbeat>(
    () => ({
      recordedAt: undefined,
      isStartup: false,
      version: '',
      hostname: '',
      uptime: undefined,
      joinMethod: '',
      oneShot: false,
      architecture: '',
      os: '',
    }),
    ({ field }) => [
      field(1, 'recordedAt', optional(message(TimestampSchema))),
      field(2, 'isStartup', bool),
      field(3, 'version', text),
      field(4, 'hostname', text),
      field(5, 'uptime', optional(message(DurationSchema))),
      field(6, 'joinMethod', text),
      field(7, 'oneShot', bool),
      field(8, 'architecture', text),
      field(9, 'os', text),
    ],
  );

export type SubmitHeartbeatResponse = Record<string, never>;
export const SubmitHeartbeatResponseSchema: MessageSchema<SubmitHeartbeatResponse> =
  /* @__PURE__ */ messageSchema<SubmitHeartbeatResponse>(() => ({}));

export const BotInstanceService = {
  submitHeartbeat: /* @__PURE__ */ method(
    '/teleport.machineid.v1.BotInstanceService/SubmitHeartbeat',
    SubmitHeartbeatRequestSchema,
    SubmitHeartbeatResponseSchema,
  ),
};
