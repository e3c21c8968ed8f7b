/** How the cluster's behaviour depends on its Teleport version. */

export interface Profile {
  readonly version: string;
  readonly major: number;
  /** Suites exist from v17 on; before, all keys are RSA-2048. */
  readonly suite: 'legacy' | 'balanced-v1';
  /** The join service came with v18, and its support of CircleCI with a later release of v18. */
  readonly joinService: 'absent' | 'without-circleci' | 'complete';
  /** Whether there is the join method generic_oidc (generic-oidc.md, "Token resource"). */
  readonly genericOidc: boolean;
  /** Whether Proxy and Auth still serve the earlier joins; when they will be removed is not decided. */
  readonly registrationEndpoint: boolean;
  /** Whether GenerateUserCerts reads one key for both certificates, a key for each, or either form. */
  readonly userCertsKeys: 'one' | 'one-or-two' | 'two';
  /** Whether `<scope>::<name>` always names a scoped token, as in later releases of v18 than are imitated here. */
  readonly scopedTokens: boolean;
  readonly botInstances: boolean;
  readonly joinAttributes: boolean;
  readonly heartbeats: boolean;
  /** Whether workload identities are resources that roles allow. */
  readonly workloadIdentities: boolean;
  /** Which SPIFFE documents are signed for any name that a role allows; v18 left that to workload identities. */
  readonly spiffeSigning: 'absent' | 'x509' | 'x509-and-jwt';
  /** The texts of OIDC verification errors changed with the library. */
  readonly oidcErrors: 'older' | 'newer';
}

/** The build of Teleport that the cluster runs, and the version it updates clients to. */
export interface Build {
  readonly edition: 'oss' | 'community' | 'ent';
  readonly fips: boolean;
  /** Undefined if it does not update them. */
  readonly toolsVersion: string | undefined;
}

export const COMMUNITY: Build = { edition: 'community', fips: false, toolsVersion: undefined };

export const DEFAULT_TELEPORT_VERSION = '18.5.1';

/** The newest major version that was examined. */
const NEWEST_MAJOR = 19;

/** Of v18. */
const CIRCLECI_IN_JOIN_SERVICE_SINCE_MINOR = 5;
const GENERIC_OIDC_SINCE_MINOR = 11;

export interface Switches {
  /** False for a cluster without the joins from before the join service. */
  readonly registrationEndpoint?: boolean | undefined;
  /** False for a build whose join service does not support CircleCI yet. */
  readonly circleciInJoinService?: boolean | undefined;
}

/**
 * A version after 19 behaves like 19 with its own number, because its other changes are not known.
 * @throws RangeError for anything but the X.Y.Z of a version from 15 on
 */
export function profileOf(version: string, switches: Switches = {}): Profile {
  const [, major, minor] = /^(\d+)\.(\d+)\.\d+(?:-[\w.]+)?$/.exec(version)?.map(Number) ?? [];
  if (major === undefined || minor === undefined || major < 15) {
    throw new RangeError(
      `Teleport ${version} is not modelled; use the X.Y.Z of a version from 15 to ${String(NEWEST_MAJOR)}`,
    );
  }
  const withoutCircleCi = switches.circleciInJoinService === false && major >= 18;
  return {
    version,
    major,
    suite: major >= 17 ? 'balanced-v1' : 'legacy',
    joinService: withoutCircleCi ? 'without-circleci' : joinServiceOf(major, minor),
    genericOidc: major > 18 || (major === 18 && minor >= GENERIC_OIDC_SINCE_MINOR),
    registrationEndpoint: switches.registrationEndpoint ?? true,
    userCertsKeys: major >= 18 ? 'two' : major === 17 ? 'one-or-two' : 'one',
    scopedTokens: major >= 19,
    botInstances: major >= 16,
    joinAttributes: major >= 17,
    heartbeats: major >= 17 || (major === 16 && minor >= 1),
    workloadIdentities: major >= 17,
    spiffeSigning: major >= 18 ? 'absent' : major >= 16 ? 'x509-and-jwt' : 'x509',
    oidcErrors: major >= 17 ? 'newer' : 'older',
  };
}

function joinServiceOf(major: number, minor: number): Profile['joinService'] {
  if (major < 18) {
    return 'absent';
  }
  return major > 18 || minor >= CIRCLECI_IN_JOIN_SERVICE_SINCE_MINOR ? 'complete' : 'without-circleci';
}
