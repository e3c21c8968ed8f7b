/** The services that listen for as long as tbot runs, each with the settings of its type. */
import type { DirectoryDestination } from '../outputs/destination.ts';
import type { Common, Placement, Selector, SvidRequest } from './output.ts';

interface Listening extends Common {
  /** `tcp://host:port` or `unix:///path`. */
  readonly listen: string;
}

export interface DatabaseTunnelService extends Listening {
  readonly type: 'database-tunnel';
  readonly service: string;
  readonly database: string;
  readonly username: string;
}

export interface ApplicationTunnelService extends Listening {
  readonly type: 'application-tunnel';
  readonly appName: string;
}

export interface ApplicationProxyService extends Listening {
  readonly type: 'application-proxy';
}

export interface SshMultiplexerService extends Common {
  readonly type: 'ssh-multiplexer';
  readonly destination: DirectoryDestination;
  readonly enableResumption: boolean;
  readonly proxyTemplatesPath: string | undefined;
  readonly proxyCommand: readonly string[];
  readonly relayServer: string | undefined;
}

export interface SpiffeWorkloadApiService extends Listening {
  readonly type: 'spiffe-workload-api';
  readonly svids: readonly SvidRequest[];
}

export interface WorkloadIdentityApiService extends Listening {
  readonly type: 'workload-identity-api';
  readonly selector: Selector;
}

export interface ExampleService extends Common {
  readonly type: 'example';
  readonly message: string;
}

export type ServiceSettings =
  | DatabaseTunnelService
  | ApplicationTunnelService
  | ApplicationProxyService
  | SshMultiplexerService
  | SpiffeWorkloadApiService
  | WorkloadIdentityApiService
  | ExampleService;

export type ServiceType = ServiceSettings['type'];

/** A service in its place. */
export type Service = ServiceSettings & Placement;
