/** What `/webapi/ping` and `/webapi/find` say, in the shape of the cluster's generation. */
import type { Build, Profile } from '../data/profiles.ts';
import type { World } from '../world.ts';

/** Where the Proxy listens, and whether one port does for everything. */
export interface Listening {
  readonly port: number;
  /** The address for clients, if there is a device in front of the Proxy. */
  readonly frontPort: number | undefined;
  readonly kubePort: number;
  readonly postgresPort: number;
  readonly tunnelPort: number;
  readonly tlsRouting: boolean;
}

/** @param proxyAddress the public address, as `localhost:port` */
export function pingDocument(
  { profile, build, clusterName }: Pick<World, 'profile' | 'build' | 'clusterName'>,
  proxyAddress: string,
  listening: Listening,
): object {
  return {
    auth: { ...COMMON_AUTH, ...(profile.major >= 17 ? newerAuth(profile) : OLDER_AUTH) },
    proxy: proxySettings(profile, proxyAddress, listening),
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

function proxySettings(profile: Profile, proxyAddress: string, { port, tlsRouting, ...ports }: Listening): object {
  const listening = `127.0.0.1:${String(port)}`;
  return {
    kube: { enabled: true, listen_addr: `127.0.0.1:${String(tlsRouting ? port : ports.kubePort)}` },
    ssh: {
      listen_addr: listening,
      tunnel_listen_addr: `127.0.0.1:${String(tlsRouting ? port : ports.tunnelPort)}`,
      web_listen_addr: listening,
      public_addr: proxyAddress,
      ...(profile.major >= 17 ? { dial_timeout: 30_000_000_000 } : {}),
    },
    db: { postgres_listen_addr: `127.0.0.1:${String(ports.postgresPort)}` },
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
