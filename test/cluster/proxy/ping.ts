/** The responses of `/webapi/ping` and `/webapi/find`, in the format of the cluster's version. */
import type { Build, Profile } from '../data/profiles.ts';
import type { World } from '../world.ts';

/** Addresses under which clients know the Proxy's ports, as `host:port`; a port without one is known by its listener. */
export interface PublicAddresses {
  readonly web: string;
  readonly ssh?: string | undefined;
  readonly tunnel?: string | undefined;
  readonly kube?: string | undefined;
  readonly postgres?: string | undefined;
}

/** The Proxy's ports, and whether one port serves everything. */
export interface Listening {
  /** As listeners name it: an address of this machine, or `[::]` for all of them. */
  readonly host: string;
  /** Of the web listener. */
  readonly port: number;
  readonly sshPort: number;
  readonly tunnelPort: number;
  readonly kubePort: number;
  readonly postgresPort: number;
  readonly tlsRouting: boolean;
  readonly publicAddresses: PublicAddresses;
}

export function pingDocument(
  { profile, build, clusterName }: Pick<World, 'profile' | 'build' | 'clusterName'>,
  listening: Listening,
): object {
  return {
    auth: { ...COMMON_AUTH, ...(profile.major >= 17 ? newerAuth(profile) : OLDER_AUTH) },
    proxy: proxySettings(profile, listening),
    server_version: profile.version,
    min_client_version:
      profile.major >= 17 ? `${String(profile.major - 1)}.0.0-aa` : `${String(profile.major - 1)}.0.0`,
    cluster_name: clusterName,
    automatic_upgrades: false,
    ...(profile.major >= 17 ? newerTopLevel(profile, build) : {}),
  };
}

const COMMON_AUTH = {
  type: 'local',
  second_factor: 'otp',
  preferred_local_mfa: 'otp',
  local: { name: '' },
  private_key_policy: 'none',
  device_trust: {},
  has_motd: false,
  default_session_ttl: '12h0m0s',
} as const;

const OLDER_AUTH = { device_trust_disabled: true } as const;

function newerAuth(profile: Profile): object {
  return { signature_algorithm_suite: profile.suite, piv_pin_cache_duration: 0 };
}

/** What is undefined is left out, as by Go's `omitempty`. */
function proxySettings(profile: Profile, listening: Listening): object {
  const { host, port, publicAddresses, tlsRouting } = listening;
  const at = (separate: number): string => `${host}:${String(tlsRouting ? port : separate)}`;
  return {
    kube: { enabled: true, public_addr: publicAddresses.kube, listen_addr: at(listening.kubePort) },
    ssh: {
      listen_addr: at(listening.sshPort),
      tunnel_listen_addr: at(listening.tunnelPort),
      web_listen_addr: at(port),
      public_addr: publicAddresses.web,
      ssh_public_addr: publicAddresses.ssh,
      ssh_tunnel_public_addr: publicAddresses.tunnel,
      ...(profile.major >= 17 ? { dial_timeout: 30_000_000_000 } : {}),
    },
    db: {
      postgres_listen_addr: `${host}:${String(listening.postgresPort)}`,
      postgres_public_addr: publicAddresses.postgres,
    },
    tls_routing_enabled: tlsRouting,
    ...(profile.major < 16 ? { assist_enabled: false } : {}),
  };
}

function newerTopLevel(profile: Profile, { edition, fips, toolsVersion }: Build): object {
  return {
    edition,
    fips,
    auto_update: {
      tools_version: toolsVersion ?? profile.version,
      tools_auto_update: toolsVersion !== undefined,
      agent_version: profile.version,
      agent_auto_update: false,
      agent_update_jitter_seconds: 60,
    },
  };
}
