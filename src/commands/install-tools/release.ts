/** One release of Teleport for one platform, and what its files are called. */
import type { ClusterRelease } from '../../teleport/ping.ts';

export interface Release {
  /** `18.2.4` or `19.0.0-alpha.1`, without a `v`. */
  readonly version: string;
  readonly edition: 'oss' | 'enterprise';
  /** Built with FIPS 140 validated cryptography: an enterprise edition for Linux. */
  readonly fips: boolean;
  readonly platform: Platform;
}

interface Archive {
  readonly name: string;
  readonly format: 'tar.gz' | 'zip';
}

/** On Windows one archive serves both editions. */
export function archiveOf({ version, edition, fips, platform: { system, architecture } }: Release): Archive {
  if (system === 'windows') return { name: `teleport-v${version}-windows-${architecture}-bin.zip`, format: 'zip' };
  const product = edition === 'enterprise' ? 'teleport-ent' : 'teleport';
  const name = `${product}-v${version}-${system}-${architecture}${fips ? '-fips' : ''}-bin.tar.gz`;
  return { name, format: 'tar.gz' };
}

/** Names the release as a folder, which no two releases share. */
export function releaseName({ version, edition, fips, platform: { system, architecture } }: Release): string {
  return [version, edition, ...(fips ? ['fips'] : []), system, architecture].join('-');
}

// For which systems Teleport is released, in the words of its file names.

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
 * @param nodePlatform as `process.platform` has it
 * @param nodeArchitecture as `process.arch` has it
 * @returns undefined when Teleport is not released for it
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
      // Windows on ARM runs programs of the other kind; there is no other release.
      return architecture === 'amd64' || architecture === 'arm64' ? { system, architecture: 'amd64' } : undefined;
    default:
      return system satisfies never;
  }
}

/** Servers are not released for Windows, and `teleport-update` serves systemd. */
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

// Which release a job should have: what was asked for, and where nothing was, what the cluster says.

export interface ReleaseRequest {
  /** `X.Y.Z`, or `auto`. */
  readonly version: string;
  readonly edition: Release['edition'] | 'auto';
  readonly fips: boolean | 'auto';
}

/** Whether the wish leaves something open that the cluster's Proxy can tell. */
export function needsCluster({ version, edition, fips }: ReleaseRequest): boolean {
  // Only enterprise editions are built for FIPS.
  return version === 'auto' || edition === 'auto' || (fips === 'auto' && edition === 'enterprise');
}

/**
 * Without a cluster to ask, the edition is the open-source one and not for FIPS.
 * @param cluster must be there when the version is `auto`
 */
export function chooseRelease(wish: ReleaseRequest, platform: Platform, cluster: ClusterRelease | undefined): Release {
  // There are no FIPS builds but for Linux; clients of such a cluster elsewhere are the ordinary ones.
  const offered = cluster?.fips === true && platform.system === 'linux';
  const fips = wish.fips === 'auto' ? wish.edition !== 'oss' && offered : wish.fips;
  const enterprise = fips || (wish.edition === 'auto' ? cluster?.enterprise === true : wish.edition === 'enterprise');
  return {
    version: wish.version === 'auto' ? (cluster?.toolsVersion ?? '') : wish.version,
    edition: enterprise ? 'enterprise' : 'oss',
    fips,
    platform,
  };
}

// Teleport's own programs, as far as they can be installed.

export const TOOLS = ['tsh', 'tctl', 'tbot', 'teleport', 'teleport-update'] as const;

export type Tool = (typeof TOOLS)[number];

/** The names in a list separated by spaces or commas, each once; `unknown` holds names that are not Teleport programs. */
export function parseTools(text: string): { readonly tools: readonly Tool[]; readonly unknown: readonly string[] } {
  const names = [...new Set(text.split(/[\s,]+/).filter((name) => name !== ''))];
  const tools = TOOLS.filter((tool) => names.includes(tool));
  return { tools, unknown: names.filter((name) => !tools.some((tool) => tool === name)) };
}
