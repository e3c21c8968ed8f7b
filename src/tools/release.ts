/** One release of Teleport for one platform, and what its files are called. */
import type { Platform } from './platform.ts';

export interface Release {
  /** `18.2.4` or `19.0.0-alpha.1`, without a `v`. */
  readonly version: string;
  readonly edition: 'oss' | 'enterprise';
  /** Built with FIPS 140 validated cryptography: an enterprise edition for Linux. */
  readonly fips: boolean;
  readonly platform: Platform;
}

export interface Archive {
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
