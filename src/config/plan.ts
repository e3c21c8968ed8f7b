/** What one run does: the settings of file, environment and flags, checked and with defaults. */
import type { Problem } from '../errors.ts';
import type { Manifest } from '../job/manifest.ts';
import type { TokenRequest } from '../job/token-request.ts';
import type { WebTrust } from '../net/trust.ts';
import type { AuthTrust } from '../teleport/auth-trust.ts';
import type { OutputsRun } from '../outputs/produce.ts';
import type { Output } from '../outputs/supported.ts';
import type { Tunnel } from '../tunnels/tunnels.ts';
import type { Service } from './items.ts';
import type { SettingValues } from './settings.ts';

/** Where the cluster is. */
export interface ClusterAddress {
  /** Which setting named it; an `auth` address may be a Proxy's, as was usual before Teleport 19. */
  readonly kind: 'proxy' | 'auth';
  /** `host:port`, an IPv6 host in brackets. */
  readonly value: string;
  /** Without brackets. */
  readonly host: string;
  readonly port: number;
  /** Where it was given: `--proxy-server`, `TELEPORT_PROXY` or `tbot.yaml line 3`. */
  readonly origin: string;
}

export interface Plan {
  readonly address: ClusterAddress;
  /** Write the configured address to files instead of the one that the Proxy advertises. */
  readonly useProxyAddr: boolean;
  /** The name of the join token; a token given as a file is already read. */
  readonly token: string;
  readonly tokenRequest: TokenRequest;
  /** The settings that ask for a scoped bot, which only tbot can be. */
  readonly scopeRequests: readonly Problem[];
  readonly insecure: boolean;
  /** What to write, in the order of the file; the command `tunnel` writes nothing. */
  readonly outputs: readonly Output[];
  /** What the command `tunnel` opens, in the order of the file; a run leaves them out. */
  readonly tunnels: readonly Tunnel[];
  /** Long-running services of the file, which a run leaves out with a warning. */
  readonly services: readonly Service[];
  /** Lifetime of the certificates; an output's own lifetime is its `ttlMs`. */
  readonly certificateTtlMs: number;
  readonly renewalIntervalMs: number;
  /** Whether to report the job to the cluster. */
  readonly heartbeat: boolean;
  readonly debug: boolean;
  readonly logFormat: 'text' | 'json';
  /** Every setting as configured, without defaults; the members above are what it means for the run. */
  readonly settings: SettingValues;
  /** One sentence each; none contains a secret. */
  readonly warnings: readonly string[];
}

/** A run, with everything that its configuration says. */
export interface PlannedRun extends OutputsRun {
  readonly plan: Plan;
  readonly trust: WebTrust;
  /** What to trust at an Auth Service; undefined if the address is that of a Proxy. */
  readonly authTrust: AuthTrust | undefined;
  readonly record: Manifest;
}
