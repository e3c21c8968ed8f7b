/** The call with which a bot reports about itself (protocol reference 5.8). */
import type { GrpcConnection } from '../grpc/client.ts';
import { BotInstanceService } from '../grpc/gen/teleport/machineid/v1/bot_instance_service_pb.ts';
import { durationFromMs, timestampFromMs } from '../grpc/protobuf-values.ts';

export interface Heartbeat {
  /** Milliseconds since the Unix epoch. */
  readonly recordedAtMs: number;
  /** Since the run began. */
  readonly uptimeMs: number;
  readonly version: string;
  readonly hostname: string;
  readonly joinMethod: string;
  /** In Node's notation: `x64`, `linux`. */
  readonly architecture: string;
  readonly platform: string;
}

/** One attempt. @throws GrpcError, or the error of the connection */
export type SubmitHeartbeat = (heartbeat: Heartbeat, signal: AbortSignal) => Promise<void>;

const GO_ARCHITECTURES: Readonly<Record<string, string>> = { x64: 'amd64', ia32: '386' };
const GO_SYSTEMS: Readonly<Record<string, string>> = { win32: 'windows' };

export function heartbeatApi(connection: Pick<GrpcConnection, 'call'>): SubmitHeartbeat {
  return async ({ architecture, platform, recordedAtMs, uptimeMs, ...heartbeat }, signal) => {
    const request = {
      heartbeat: {
        ...heartbeat,
        recordedAt: timestampFromMs(recordedAtMs),
        isStartup: true,
        uptime: durationFromMs(uptimeMs),
        oneShot: true,
        architecture: GO_ARCHITECTURES[architecture] ?? architecture,
        os: GO_SYSTEMS[platform] ?? platform,
      },
    };
    await connection.call(BotInstanceService.submitHeartbeat, request, { signal });
  };
}
