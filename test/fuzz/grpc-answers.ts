/** gRPC responses of a cluster: complete ones to mutate, and the HTTP/2 bytes around them. */
import { SignJWT } from 'jose';
import { JoinResponseSchema } from '../../src/grpc/gen/teleport/join/v1/joinservice_pb.ts';
import {
  CertsSchema,
  ListResourcesResponseSchema,
  PingResponseSchema,
} from '../../src/grpc/gen/teleport/legacy/authservice_pb.ts';
import { RoleV6Schema } from '../../src/grpc/gen/teleport/legacy/types_pb.ts';
import { ListSPIFFEFederationsResponseSchema } from '../../src/grpc/gen/teleport/machineid/v1/federation_service_pb.ts';
import { SignX509SVIDsResponseSchema } from '../../src/grpc/gen/teleport/machineid/v1/workload_identity_service_pb.ts';
import { ProxySSHResponseSchema } from '../../src/grpc/gen/teleport/transport/v1/transport_service_pb.ts';
import {
  GenerateHostCertResponseSchema,
  GetCertAuthoritiesResponseSchema,
} from '../../src/grpc/gen/teleport/trust/v1/trust_service_pb.ts';
import { IssueWorkloadIdentityResponseSchema } from '../../src/grpc/gen/teleport/workloadidentity/v1/issuance_service_pb.ts';
import { encode, type Init, type MessageSchema } from '../../src/grpc/protobuf.ts';
import { CLUSTER, type ClusterSamples, keyLine, pemBlock } from './samples.ts';

function message<T>(schema: MessageSchema<T>, fields: Init<NoInfer<T>>): Buffer {
  return Buffer.from(encode(schema, fields));
}

type AnswerName =
  | 'ping'
  | 'role'
  | 'certs'
  | 'resources'
  | 'authorities'
  | 'hostCert'
  | 'x509Svid'
  | 'jwtSvid'
  | 'signedSvids'
  | 'federations'
  | 'joinInit'
  | 'joinResult'
  | 'sshFrame';

/** One message of each method, as a cluster would send it. */
export async function grpcAnswers(samples: ClusterSamples): Promise<Readonly<Record<AnswerName, Buffer>>> {
  const { hostSsh, hostTls, spiffeTls, ssh, sshHost, svid, tls, userSsh, userTls } = samples;
  const spiffeId = `spiffe://${CLUSTER}/ci/a`;
  const metadata = { name: 'kube', labels: { env: 'ci', 'teleport.internal/discovered-name': 'k' } };
  const server = { case: 'kubernetesServer' as const, value: { spec: { cluster: { metadata } } } };
  const jwt = await new SignJWT({ sub: spiffeId, aud: ['a'] })
    .setProtectedHeader({ alg: 'HS256' })
    .setExpirationTime('1h')
    .sign(Buffer.alloc(32));
  const bundle = { keys: [{ use: 'x509-svid', kty: 'EC', x5c: [spiffeTls.toString('base64')] }, { use: 'jwt-svid' }] };
  const x5 = { case: 'x509Svid' as const, value: { cert: svid, chain: [] } };
  const jwtSvid = { case: 'jwtSvid' as const, value: { jwt } };
  const certificates = { tlsCert: tls, tlsCaCerts: [hostTls, userTls], sshCert: ssh, sshCaKeys: [hostSsh] };
  const result = { payload: { case: 'botResult' as const, value: { certificates } } };
  const init = { joinMethod: 'circleci', signatureAlgorithmSuite: 'SIGNATURE_ALGORITHM_SUITE_BALANCED_V1' };
  return {
    ping: message(PingResponseSchema, { clusterName: CLUSTER, serverVersion: '18.2.4' }),
    role: message(RoleV6Schema, { spec: { allow: { impersonate: { roles: ['access', 'editor'] } } } }),
    certs: message(CertsSchema, { ssh: Buffer.from(`${keyLine(ssh)} a comment\n`), tls: Buffer.from(pemBlock(tls)) }),
    resources: message(ListResourcesResponseSchema, { resources: [{ resource: server }] }),
    authorities: message(GetCertAuthoritiesResponseSchema, {
      certAuthoritiesV2: [
        {
          spec: {
            type: 'user',
            clusterName: CLUSTER,
            activeKeys: {
              ssh: [{ publicKey: Buffer.from(`${keyLine(userSsh)} a comment\n`) }],
              tls: [{ cert: Buffer.from(pemBlock(userTls)) }],
            },
          },
        },
      ],
    }),
    hostCert: message(GenerateHostCertResponseSchema, {
      sshCertificate: Buffer.from(`${keyLine(sshHost)}\ta comment`),
    }),
    x509Svid: message(IssueWorkloadIdentityResponseSchema, { credential: { spiffeId, credential: x5 } }),
    jwtSvid: message(IssueWorkloadIdentityResponseSchema, { credential: { spiffeId, credential: jwtSvid } }),
    signedSvids: message(SignX509SVIDsResponseSchema, { svids: [{ spiffeId, certificate: svid }] }),
    federations: message(ListSPIFFEFederationsResponseSchema, {
      spiffeFederations: [{ metadata: { name: 'b.example.com' }, status: { currentBundle: JSON.stringify(bundle) } }],
    }),
    joinInit: message(JoinResponseSchema, { payload: { case: 'init', value: init } }),
    joinResult: message(JoinResponseSchema, { payload: { case: 'result', value: result } }),
    sshFrame: message(ProxySSHResponseSchema, { ssh: { payload: Buffer.from('SSH-2.0-Teleport\r\n') } }),
  };
}

/** A message with its gRPC framing. */
export function framed(bytes: Uint8Array): Buffer {
  const prefix = Buffer.alloc(5);
  prefix.writeUInt32BE(bytes.length, 1);
  return Buffer.concat([prefix, bytes]);
}

const SETTINGS = 4;
const HEADERS = 1;
const DATA = 0;
/** The frame types of RFC 9113; all others are extensions. */
const LAST_FRAME_TYPE = 9;
const FRAME_HEAD_BYTES = 9;
const ACK = 1;
const END_HEADERS = 4;
const END_STREAM = 1;

/** Everything that a server sends on a connection with one call (RFC 9113). */
export function http2Bytes(body: Buffer): Buffer {
  return Buffer.concat([
    frame(SETTINGS, 0, 0, Buffer.of(0, 3, 0, 0, 0, 100)),
    frame(SETTINGS, ACK, 0),
    frame(HEADERS, END_HEADERS, 1, Buffer.concat([Buffer.of(STATUS_200), header('content-type', 'application/grpc')])),
    frame(DATA, 0, 1, body),
    frame(
      HEADERS,
      END_HEADERS | END_STREAM,
      1,
      Buffer.concat([header('grpc-status', '0'), header('grpc-message', '')]),
    ),
  ]);
}

/**
 * The part that Node can process: its nghttp2 aborts the process at a frame of an unknown type that follows a protocol
 * error (nghttp2 pull request 2509).
 */
export function untilUnknownFrame(bytes: Buffer): Buffer {
  for (let at = 0; at + FRAME_HEAD_BYTES <= bytes.length; at += FRAME_HEAD_BYTES + bytes.readUIntBE(at, 3)) {
    if (bytes.readUInt8(at + 3) > LAST_FRAME_TYPE) return bytes.subarray(0, at);
  }
  return bytes;
}

function frame(type: number, flags: number, stream: number, payload: Buffer = Buffer.alloc(0)): Buffer {
  const head = Buffer.alloc(FRAME_HEAD_BYTES);
  head.writeUIntBE(payload.length, 0, 3);
  head.writeUInt8(type, 3);
  head.writeUInt8(flags, 4);
  head.writeUInt32BE(stream, 5);
  return Buffer.concat([head, payload]);
}

/** An index in HPACK's static table (RFC 7541, appendix A). */
const STATUS_200 = 0x88;

/** A literal without indexing and without Huffman coding. */
function header(name: string, value: string): Buffer {
  return Buffer.concat([Buffer.of(0, name.length), Buffer.from(name), Buffer.of(value.length), Buffer.from(value)]);
}
