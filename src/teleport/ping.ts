/** Discovery: reads what a Proxy reports about its cluster at `/webapi/ping`. */
import * as z from 'zod/mini';
import { seconds, utcTime } from '../crypto/validity.ts';
import { isTransientHttpStatus, type Retries } from '../effects/retry.ts';
import { MachineIdError } from '../errors.ts';
import { type Address, formatAddress, parseAddress } from '../net/address.ts';
import { errorText } from '../net/error-text.ts';
import { answeredBy } from '../net/failures.ts';
import type { WebApi } from '../net/web.ts';
import { type DatabaseListeners, databaseListeners } from './database-endpoint.ts';
import { kubeListener, type KubeListener } from './kube-endpoint.ts';
import { isClusterName } from './names.ts';
import { suiteName } from './suite.ts';

/** What the rest of a run needs to know about the cluster. */
export interface ClusterFacts {
  readonly clusterName: string;
  readonly serverVersion: ServerVersion;
  /** The oldest client that the cluster accepts; enforced only for clients that send their version. */
  readonly minClientVersion: ServerVersion | undefined;
  /** Whether one port carries everything, routed by ALPN and SNI. */
  readonly tlsRouting: boolean;
  /** The Proxy's advertised web address; if none, the address that was pinged. */
  readonly webAddress: Address;
  /** Where SSH is served: the web address with TLS routing, otherwise the Proxy's SSH listener. */
  readonly sshAddress: Address;
  /** Where Kubernetes is served without TLS routing. */
  readonly kube: KubeListener;
  /** Where agents, tctl and tbot open tunnels: the web address with TLS routing, otherwise a listener that speaks SSH. */
  readonly tunnelAddress: Address;
  readonly databases: DatabaseListeners;
  /** Host of the Proxy's public address, as it appears in `known_hosts`. */
  readonly proxyHost: string;
  /** Signature algorithm suite; `legacy` if the server (before 17) reports none. */
  readonly suite: string;
  readonly release: ClusterRelease;
  /** When the Proxy sent the response, by its own clock; undefined if it does not say. */
  readonly sentMs?: number | undefined;
}

/** Where clients reach the Proxy: its web address, and the listeners of databases. */
export function proxyHosts({ databases, webAddress }: ClusterFacts): readonly string[] {
  return [webAddress, ...databases.values()].map(({ host }) => host);
}

/** Which build of Teleport matches the cluster. Proxies before 16 do not report the edition and count as open source. */
export interface ClusterRelease {
  /** Version for clients: the one that the cluster updates them to, otherwise its own. */
  readonly toolsVersion: string;
  readonly enterprise: boolean;
  readonly fips: boolean;
}

/** Ignores fields that are not needed here. Most fields are optional, since servers omit empty ones. */
const PingResponse = z.object({
  cluster_name: z.string().check(z.refine(isClusterName)),
  server_version: z.string(),
  min_client_version: z.optional(z.string()),
  edition: z.optional(z.string()),
  fips: z.optional(z.boolean()),
  auto_update: z.optional(
    z.object({ tools_version: z.optional(z.string()), tools_auto_update: z.optional(z.boolean()) }),
  ),
  auth: z.optional(z.object({ signature_algorithm_suite: z.optional(z.union([z.string(), z.number()])) })),
  proxy: z.optional(
    z.object({
      tls_routing_enabled: z.optional(z.boolean()),
      kube: z.optional(z.object({ public_addr: z.optional(z.string()), listen_addr: z.optional(z.string()) })),
      ssh: z.optional(
        z.object({
          listen_addr: z.optional(z.string()),
          web_listen_addr: z.optional(z.string()),
          public_addr: z.optional(z.string()),
          ssh_public_addr: z.optional(z.string()),
          tunnel_listen_addr: z.optional(z.string()),
          ssh_tunnel_public_addr: z.optional(z.string()),
        }),
      ),
      db: z.optional(
        z.object({
          postgres_public_addr: z.optional(z.string()),
          postgres_listen_addr: z.optional(z.string()),
          mysql_public_addr: z.optional(z.string()),
          mysql_listen_addr: z.optional(z.string()),
          mongo_public_addr: z.optional(z.string()),
          mongo_listen_addr: z.optional(z.string()),
        }),
      ),
    }),
  ),
});

const WEB_PORT = 443;
const SSH_PORT = 3023;
export const TUNNEL_PORT = 3024;

/**
 * Reads the body of a response with status 200.
 * @param asked the address that was pinged
 * @param server the header `Server` of the response
 * @throws MachineIdError PROXY_NOT_TELEPORT
 */
export function parsePing(body: string, asked: Address, server?: string): ClusterFacts {
  const place = { asked, server };
  const parsed = PingResponse.safeParse(parseJson(body, place));
  if (!parsed.success) throw notTeleport(place, parsed.error.issues.map((issue) => issue.path.join('.')).join(', '));
  const { cluster_name: clusterName, server_version: versionText, auth, proxy } = parsed.data;
  const serverVersion = parseServerVersion(versionText);
  if (serverVersion === undefined) throw notTeleport(place, 'server_version');
  const tlsRouting = proxy?.tls_routing_enabled ?? false;
  const ssh = proxy?.ssh ?? {};
  const webPort = read(ssh.web_listen_addr, WEB_PORT)?.port ?? WEB_PORT;
  const webAddress = read(ssh.public_addr, webPort) ?? asked;
  return {
    clusterName,
    serverVersion,
    minClientVersion: parseServerVersion(parsed.data.min_client_version ?? ''),
    tlsRouting,
    webAddress,
    sshAddress: tlsRouting ? webAddress : sshListener(ssh, webAddress),
    kube: kubeListener(proxy?.kube?.public_addr, proxy?.kube?.listen_addr),
    tunnelAddress: tlsRouting ? webAddress : tunnelListener(ssh, webAddress),
    databases: databaseListeners(proxy?.db ?? {}, webAddress.host),
    proxyHost: webAddress.host,
    suite: suiteName(auth?.signature_algorithm_suite),
    release: {
      toolsVersion: toolsVersion(parsed.data.auto_update) ?? serverVersion.text,
      enterprise: parsed.data.edition === 'ent',
      fips: parsed.data.fips ?? false,
    },
  };
}

interface UpdateSettings {
  readonly tools_version?: string | undefined;
  readonly tools_auto_update?: boolean | undefined;
}

/** Servers report the version even if updates are off; then it has no effect. */
function toolsVersion(settings: UpdateSettings | undefined): string | undefined {
  if (settings?.tools_auto_update !== true || settings.tools_version === undefined) return undefined;
  return parseServerVersion(settings.tools_version)?.text;
}

interface SshSettings {
  readonly listen_addr?: string | undefined;
  readonly ssh_public_addr?: string | undefined;
  readonly tunnel_listen_addr?: string | undefined;
  readonly ssh_tunnel_public_addr?: string | undefined;
}

/** The public SSH address, or else the web address's host with the SSH listener's port: Teleport's own order. */
function sshListener(ssh: SshSettings, webAddress: Address): Address {
  const port = read(ssh.listen_addr, SSH_PORT)?.port ?? SSH_PORT;
  return read(ssh.ssh_public_addr, port) ?? { host: webAddress.host, port };
}

/** The public address, or else the public SSH host with the tunnel listener's port: Teleport's own order. */
function tunnelListener(ssh: SshSettings, webAddress: Address): Address {
  const port = read(ssh.tunnel_listen_addr, TUNNEL_PORT)?.port ?? TUNNEL_PORT;
  const { host } = read(ssh.ssh_public_addr, port) ?? webAddress;
  return read(ssh.ssh_tunnel_public_addr, port) ?? { host, port };
}

function read(text: string | undefined, defaultPort: number): Address | undefined {
  return text === undefined || text === '' ? undefined : parseAddress(text, defaultPort);
}

interface Place {
  readonly asked: Address;
  readonly server: string | undefined;
}

function parseJson(body: string, place: Place): unknown {
  try {
    return JSON.parse(body);
  } catch (cause) {
    throw notTeleport(place, undefined, cause);
  }
}

function notTeleport({ asked, server }: Place, fields: string | undefined, cause?: unknown): MachineIdError {
  const what = fields === undefined ? 'something that is not JSON' : `JSON without a usable ${fields}`;
  return new MachineIdError(
    'PROXY_NOT_TELEPORT',
    `${formatAddress(asked)} is not a Teleport Proxy: /webapi/ping returned ${what}`,
    {
      hint: "Use the host and port of the Teleport Proxy's web address, as in the URL of its web UI, without a path.",
      likelyCauses: answeredBy(server),
      cause,
    },
  );
}

/**
 * Pings a Proxy, and retries according to the policy.
 * @throws MachineIdError PROXY_NOT_TELEPORT, PROXY_UNREACHABLE, or what the web API throws
 */
export async function discover(web: WebApi, retries: Retries): Promise<ClusterFacts> {
  return (await retries.run(() => ping(web))).cluster;
}

interface PingResult {
  readonly cluster: ClusterFacts;
  /** When the response was sent, by the Proxy's clock; NaN if it does not say. */
  readonly sentMs: number;
}

/** Pings once. @throws MachineIdError as `discover` does */
export async function ping(web: WebApi): Promise<PingResult> {
  const { status, body, sentMs = NaN, server, retryAfterMs } = await web.get('/webapi/ping');
  if (status === 200) {
    const cluster = parsePing(body, web.address, server);
    return { cluster: Number.isNaN(sentMs) ? cluster : { ...cluster, sentMs }, sentMs };
  }
  const text = errorText(body);
  const message = `${formatAddress(web.address)}/webapi/ping returned status ${status}${text === undefined ? '' : `: ${text}`}`;
  if (isTransientHttpStatus(status, 'Teleport')) {
    throw new MachineIdError('PROXY_UNREACHABLE', message, {
      hint: 'Run the job again: the Proxy is overloaded or restarting, or limits requests from this address.',
      likelyCauses: answeredBy(server),
      transient: { afterMs: retryAfterMs },
    });
  }
  throw new MachineIdError('PROXY_NOT_TELEPORT', message, {
    likelyCauses: answeredBy(server),
    hint: "Use the host and port of the Teleport Proxy's web address, as in the URL of its web UI, without a path.",
  });
}

/** Ignores differences that whole seconds and the network can explain. */
const MAX_DIFFERENCE_MS = 30_000;

/**
 * A clause if the clocks of this machine and the Proxy differ; undefined if they agree closely enough.
 * @param nowMs when the response arrived, by this machine's clock
 */
export function clockDifference({ sentMs }: Pick<ClusterFacts, 'sentMs'>, nowMs: number): string | undefined {
  if (sentMs === undefined || Math.abs(nowMs - sentMs) <= MAX_DIFFERENCE_MS) return undefined;
  const direction = nowMs > sentMs ? 'ahead of' : 'behind';
  return `this machine's clock is ${seconds(Math.abs(nowMs - sentMs))} ${direction} the Proxy's (${utcTime(nowMs)}, ${utcTime(sentMs)}): set it with NTP`;
}

// Teleport versions.

export interface ServerVersion {
  readonly major: number;
  /** As the server wrote it, for example `18.2.4` or `19.0.0-dev`. */
  readonly text: string;
}

/** @returns undefined if the text is not a semantic version, with or without `v` */
export function parseServerVersion(text: string): ServerVersion | undefined {
  const match = /^v?(\d{1,5})\.\d{1,5}\.\d{1,5}(?:[-+][0-9A-Za-z.+-]*)?$/.exec(text);
  return match === null ? undefined : { major: Number(match[1]), text: text.replace(/^v/, '') };
}

/** The oldest and newest versions that the tests cover. */
export const OLDEST_TESTED = { major: 15, text: '15.3.7' } as const satisfies ServerVersion;
export const NEWEST_TESTED = { major: 19, text: '19.0.0' } as const satisfies ServerVersion;

/** Precedence of Semantic Versioning: negative if `one` comes before `other`. Ignores build metadata. */
export function compareVersions({ text: one }: ServerVersion, { text: other }: ServerVersion): number {
  const [first, second] = [precedence(one), precedence(other)];
  return compareLists(first.release, second.release) || comparePreReleases(first.preRelease, second.preRelease);
}

interface Precedence {
  readonly release: readonly string[];
  readonly preRelease: readonly string[];
}

function precedence(text: string): Precedence {
  const [version = ''] = text.split('+');
  const [release = '', ...rest] = version.split('-');
  const preRelease = rest.join('-');
  return { release: release.split('.'), preRelease: preRelease === '' ? [] : preRelease.split('.') };
}

/** A pre-release comes before its release. */
function comparePreReleases(one: readonly string[], other: readonly string[]): number {
  if (one.length === 0 || other.length === 0) return other.length - one.length;
  return compareLists(one, other);
}

function compareLists(one: readonly string[], other: readonly string[]): number {
  for (const [at, identifier] of one.entries()) {
    const difference = at < other.length ? compareIdentifiers(identifier, other[at] ?? '') : 1;
    if (difference !== 0) return difference;
  }
  return one.length - other.length;
}

/** Numbers compare by value and come before words; words compare by characters. */
function compareIdentifiers(one: string, other: string): number {
  const [first, second] = [one, other].map((identifier) => (/^\d+$/.test(identifier) ? Number(identifier) : undefined));
  if (first !== undefined && second !== undefined) return first - second;
  if (first !== undefined || second !== undefined) return first === undefined ? 1 : -1;
  return one < other ? -1 : one === other ? 0 : 1;
}
