/** A release of Teleport for a platform: its file names, and which release a job needs. */
import type { ClusterRelease } from '../../teleport/ping.ts';

export interface Release {
  /** `18.2.4` or `19.0.0-alpha.1`, without a `v`. */
  readonly version: string;
  readonly edition: 'oss' | 'enterprise';
  /** Built with FIPS 140 validated cryptography; only the enterprise edition for Linux. */
  readonly fips: boolean;
  readonly platform: Platform;
}

interface Archive {
  readonly name: string;
  readonly format: 'tar.gz' | 'zip';
}

/** Windows has one archive for both editions. */
export function archiveOf({ version, edition, fips, platform: { system, architecture } }: Release): Archive {
  if (system === 'windows') return { name: `teleport-v${version}-windows-${architecture}-bin.zip`, format: 'zip' };
  const product = edition === 'enterprise' ? 'teleport-ent' : 'teleport';
  const name = `${product}-v${version}-${system}-${architecture}${fips ? '-fips' : ''}-bin.tar.gz`;
  return { name, format: 'tar.gz' };
}

/** A unique name of the release, for its directory. */
export function releaseName({ version, edition, fips, platform: { system, architecture } }: Release): string {
  return [version, edition, ...(fips ? ['fips'] : []), system, architecture].join('-');
}

/** A platform with a release, named as in the names of the archives. */
export interface Platform {
  readonly system: 'linux' | 'darwin' | 'windows';
  readonly architecture: 'amd64' | 'arm64' | 'arm' | '386';
}

const SYSTEMS: ReadonlyMap<string, Platform['system']> = new Map([
  ['linux', 'linux'],
  ['darwin', 'darwin'],
  ['win32', 'windows'],
]);

const ARCHITECTURES: ReadonlyMap<string, Platform['architecture']> = new Map([
  ['x64', 'amd64'],
  ['arm64', 'arm64'],
  ['arm', 'arm'],
  ['ia32', '386'],
]);

/**
 * @param nodePlatform the value of `process.platform`
 * @param nodeArchitecture the value of `process.arch`
 * @returns undefined if Teleport has no release for it
 */
export function platformOf(nodePlatform: string, nodeArchitecture: string): Platform | undefined {
  const system = SYSTEMS.get(nodePlatform);
  const architecture = ARCHITECTURES.get(nodeArchitecture);
  if (system === undefined || architecture === undefined) return undefined;
  switch (system) {
    case 'linux':
      return { system, architecture };
    case 'darwin':
      return architecture === 'amd64' || architecture === 'arm64' ? { system, architecture } : undefined;
    case 'windows':
      // Windows on ARM runs amd64 programs; there is no ARM release.
      return architecture === 'amd64' || architecture === 'arm64' ? { system, architecture: 'amd64' } : undefined;
    default:
      return system satisfies never;
  }
}

/** Windows has no server programs, and `teleport-update` needs systemd. */
export function isReleasedFor(tool: Tool, { system }: Platform): boolean {
  switch (system) {
    case 'linux':
      return true;
    case 'darwin':
      return tool !== 'teleport-update';
    case 'windows':
      return tool === 'tsh' || tool === 'tctl' || tool === 'tbot';
    default:
      return system satisfies never;
  }
}

/** The release a job asks for; the cluster decides what is `auto`. */
export interface ReleaseRequest {
  /** `X.Y.Z`, or `auto`. */
  readonly version: string;
  readonly edition: Release['edition'] | 'auto';
  readonly fips: boolean | 'auto';
}

/** Whether the request leaves something open that the cluster decides. */
export function needsCluster({ version, edition, fips }: ReleaseRequest): boolean {
  // Only enterprise editions are built for FIPS.
  return version === 'auto' || edition === 'auto' || (fips === 'auto' && edition === 'enterprise');
}

/**
 * Without a cluster, `auto` is the open-source edition without FIPS.
 * @param cluster required if the version is `auto`
 */
export function chooseRelease(
  request: ReleaseRequest,
  platform: Platform,
  cluster: ClusterRelease | undefined,
): Release {
  // FIPS builds exist only for Linux; other clients of a FIPS cluster use the standard build.
  const offered = cluster?.fips === true && platform.system === 'linux';
  const fips = request.fips === 'auto' ? request.edition !== 'oss' && offered : request.fips;
  const enterprise =
    fips || (request.edition === 'auto' ? cluster?.enterprise === true : request.edition === 'enterprise');
  return {
    version: request.version === 'auto' ? (cluster?.toolsVersion ?? '') : request.version,
    edition: enterprise ? 'enterprise' : 'oss',
    fips,
    platform,
  };
}

/** The programs of Teleport that can be installed. */
export const TOOLS = ['tsh', 'tctl', 'tbot', 'teleport', 'teleport-update'] as const;

export type Tool = (typeof TOOLS)[number];

/** The distinct names in a list separated by spaces or commas; `unknown` has names that are not Teleport programs. */
export function parseTools(text: string): { readonly tools: readonly Tool[]; readonly unknown: readonly string[] } {
  const names = [...new Set(text.split(/[\s,]+/).filter((name) => name !== ''))];
  const tools = TOOLS.filter((tool) => names.includes(tool));
  return { tools, unknown: names.filter((name) => !tools.some((tool) => tool === name)) };
}
