/** What one run shall do: every setting from file, environment and flags, checked and with its default filled in. */
import type { Problem } from '../errors.ts';
import type { Output } from '../outputs/supported.ts';
import type { OutputsRun } from '../outputs/outputs.ts';
import type { Service } from './items.ts';
import type { SettingValues } from './settings.ts';

/** Where to find the cluster. */
export interface ClusterAddress {
  /** Which setting named it; up to Teleport 18 an `auth` address may still be a Proxy's. */
  readonly kind: 'proxy' | 'auth';
  /** `host:port`, an IPv6 host in brackets. */
  readonly value: string;
  /** Without brackets. */
  readonly host: string;
  readonly port: number;
  /** Who said so: `--proxy-server`, `TELEPORT_PROXY` or `tbot.yaml line 3`. */
  readonly origin: string;
}

export interface Plan {
  readonly address: ClusterAddress;
  /** Stay with the configured Proxy address rather than the one that the Proxy advertises. */
  readonly useProxyAddr: boolean;
  /** The name of the join token; a token given as a file is already read. */
  readonly token: string;
  readonly joinMethod: 'circleci';
  /** What asks for a scoped bot, which only tbot can be; none when nothing does. */
  readonly scopeRequests: readonly Problem[];
  readonly insecure: boolean;
  /** What to write, in the order of the file. */
  readonly outputs: readonly Output[];
  /** Long-running services of the file: a run that ends leaves them out, and `warnings` says so. */
  readonly services: readonly Service[];
  /** How long certificates shall live; an output's own lifetime stands in its `ttlMs`. */
  readonly certificateTtlMs: number;
  readonly renewalIntervalMs: number;
  readonly debug: boolean;
  readonly logFormat: 'text' | 'json';
  /** Every setting as configured, without defaults; the members above are what it means for the run. */
  readonly settings: SettingValues;
  /** One sentence each, for a person to read; nothing in them is secret. */
  readonly warnings: readonly string[];
}

/** A run, with everything that its configuration says. */
export interface PlannedRun extends OutputsRun {
  readonly plan: Plan;
}
