/** Which release a job should have: what was asked for, and where nothing was, what the cluster says. */
import type { ClusterRelease } from '../teleport/ping.ts';
import type { Platform } from './platform.ts';
import type { Release } from './release.ts';

export interface ReleaseWish {
  /** `X.Y.Z`, or `auto`. */
  readonly version: string;
  readonly edition: Release['edition'] | 'auto';
  readonly fips: boolean | 'auto';
}

/** Whether the wish leaves something open that the cluster's Proxy can tell. */
export function leavesOpen({ version, edition, fips }: ReleaseWish): boolean {
  // Only enterprise editions are built for FIPS.
  return version === 'auto' || edition === 'auto' || (fips === 'auto' && edition === 'enterprise');
}

/**
 * Without a cluster to ask, the edition is the open-source one and not for FIPS.
 * @param cluster must be there when the version is `auto`
 */
export function chooseRelease(wish: ReleaseWish, platform: Platform, cluster: ClusterRelease | undefined): Release {
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
