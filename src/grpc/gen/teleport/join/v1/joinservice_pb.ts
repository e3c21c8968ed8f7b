// Generated from proto/teleport/join/v1/joinservice.proto by "npm run generate". Do not edit.
import {
  TimestampSchema,
  bytes,
  int32,
  list,
  message,
  optional,
  text,
  type Timestamp,
} from '../../../../protobuf-values.ts';
import { messageSchema, method, type Init, type MessageSchema } from '../../../../protobuf.ts';

export interface JoinRequest {
  payload:
    | { case: 'clientInit'; value: ClientInit }
    | { case: 'givingUp'; value: GivingUp }
    | { case: 'oidcInit'; value: OIDCInit }
    | { case: undefined; value?: undefined };
}
export const JoinRequestSchema: MessageSchema<JoinRequest> = /* @__PURE__ */ messageSchema<JoinRequest>(
  () => ({ payload: { case: undefined } }),
  ({ member }) => [
    member(
      1,
      'client_init',
      message(ClientInitSchema),
      ({ payload: one }: Init<JoinRequest>) => (one?.case === 'clientInit' ? one.value : undefined),
      (into, value) => {
        into.payload = { case: 'clientInit', value };
      },
    ),
    member(
      6,
      'giving_up',
      message(GivingUpSchema),
      ({ payload: one }: Init<JoinRequest>) => (one?.case === 'givingUp' ? one.value : undefined),
      (into, value) => {
        into.payload = { case: 'givingUp', value };
      },
    ),
    member(
      8,
      'oidc_init',
      message(OIDCInitSchema),
      ({ payload: one }: Init<JoinRequest>) => (one?.case === 'oidcInit' ? one.value : undefined),
      (into, value) => {
        into.payload = { case: 'oidcInit', value };
      },
    ),
  ],
);

export interface ClientInit {
  joinMethod: string | undefined;
  tokenName: string;
  systemRole: string;
}
export const ClientInitSchema: MessageSchema<ClientInit> = /* @__PURE__ */ messageSchema<ClientInit>(
  () => ({ joinMethod: undefined, tokenName: '', systemRole: '' }),
  ({ field }) => [field(1, 'joinMethod', optional(text)), field(2, 'tokenName', text), field(3, 'systemRole', text)],
);

export interface OIDCInit {
  clientParams: ClientParams | undefined;
  idToken: Uint8Array;
}
export const OIDCInitSchema: MessageSchema<OIDCInit> = /* @__PURE__ */ messageSchema<OIDCInit>(
  () => ({ clientParams: undefined, idToken: new Uint8Array() }),
  ({ field }) => [field(1, 'clientParams', optional(message(ClientParamsSchema))), field(2, 'idToken', bytes)],
);

export interface ClientParams {
  payload: { case: 'botParams'; value: BotParams } | { case: undefined; value?: undefined };
}
export const ClientParamsSchema: MessageSchema<ClientParams> = /* @__PURE__ */ messageSchema<ClientParams>(
  () => ({ payload: { case: undefined } }),
  ({ member }) => [
    member(
      2,
      'bot_params',
      message(BotParamsSchema),
      ({ payload: one }: Init<ClientParams>) => (one?.case === 'botParams' ? one.value : undefined),
      (into, value) => {
        into.payload = { case: 'botParams', value };
      },
    ),
  ],
);

export interface BotParams {
  publicKeys: PublicKeys | undefined;
  expires: Timestamp | undefined;
}
export const BotParamsSchema: MessageSchema<BotParams> = /* @__PURE__ */ messageSchema<BotParams>(
  () => ({ publicKeys: undefined, expires: undefined }),
  ({ field }) => [
    field(1, 'publicKeys', optional(message(PublicKeysSchema))),
    field(2, 'expires', optional(message(TimestampSchema))),
  ],
);

export interface PublicKeys {
  publicTlsKey: Uint8Array;
  publicSshKey: Uint8Array;
}
export const PublicKeysSchema: MessageSchema<PublicKeys> = /* @__PURE__ */ messageSchema<PublicKeys>(
  () => ({ publicTlsKey: new Uint8Array(), publicSshKey: new Uint8Array() }),
  ({ field }) => [field(1, 'publicTlsKey', bytes), field(2, 'publicSshKey', bytes)],
);

export interface GivingUp {
  reason: number;
  msg: string;
}
export const GivingUpSchema: MessageSchema<GivingUp> = /* @__PURE__ */ messageSchema<GivingUp>(
  () => ({ reason: 0, msg: '' }),
  ({ field }) => [field(1, 'reason', int32), field(2, 'msg', text)],
);

export interface JoinResponse {
  payload:
    { case: 'init'; value: ServerInit } | { case: 'result'; value: Result } | { case: undefined; value?: undefined };
}
export const JoinResponseSchema: MessageSchema<JoinResponse> = /* @__PURE__ */ messageSchema<JoinResponse>(
  () => ({ payload: { case: undefined } }),
  ({ member }) => [
    member(
      1,
      'init',
      message(ServerInitSchema),
      ({ payload: one }: Init<JoinResponse>) => (one?.case === 'init' ? one.value : undefined),
      (into, value) => {
        into.payload = { case: 'init', value };
      },
    ),
    member(
      3,
      'result',
      message(ResultSchema),
      ({ payload: one }: Init<JoinResponse>) => (one?.case === 'result' ? one.value : undefined),
      (into, value) => {
        into.payload = { case: 'result', value };
      },
    ),
  ],
);

export interface ServerInit {
  joinMethod: string;
  signatureAlgorithmSuite: string;
}
export const ServerInitSchema: MessageSchema<ServerInit> = /* @__PURE__ */ messageSchema<ServerInit>(
  () => ({ joinMethod: '', signatureAlgorithmSuite: '' }),
  ({ field }) => [field(1, 'joinMethod', text), field(2, 'signatureAlgorithmSuite', text)],
);

export interface Result {
  payload: { case: 'botResult'; value: BotResult } | { case: undefined; value?: undefined };
}
export const ResultSchema: MessageSchema<Result> = /* @__PURE__ */ messageSchema<Result>(
  () => ({ payload: { case: undefined } }),
  ({ member }) => [
    member(
      2,
      'bot_result',
      message(BotResultSchema),
      ({ payload: one }: Init<Result>) => (one?.case === 'botResult' ? one.value : undefined),
      (into, value) => {
        into.payload = { case: 'botResult', value };
      },
    ),
  ],
);

export interface BotResult {
  certificates: Certificates | undefined;
}
export const BotResultSchema: MessageSchema<BotResult> = /* @__PURE__ */ messageSchema<BotResult>(
  () => ({ certificates: undefined }),
  ({ field }) => [field(1, 'certificates', optional(message(CertificatesSchema)))],
);

export interface Certificates {
  tlsCert: Uint8Array;
  tlsCaCerts: Uint8Array[];
  sshCert: Uint8Array;
  sshCaKeys: Uint8Array[];
}
export const CertificatesSchema: MessageSchema<Certificates> = /* @__PURE__ */ messageSchema<Certificates>(
  () => ({ tlsCert: new Uint8Array(), tlsCaCerts: [], sshCert: new Uint8Array(), sshCaKeys: [] }),
  ({ field }) => [
    field(1, 'tlsCert', bytes),
    field(2, 'tlsCaCerts', list(bytes)),
    field(3, 'sshCert', bytes),
    field(4, 'sshCaKeys', list(bytes)),
  ],
);

export const JoinService = {
  join: /* @__PURE__ */ method('/teleport.join.v1.JoinService/Join', JoinRequestSchema, JoinResponseSchema),
};
