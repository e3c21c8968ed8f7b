/** What must fit together before a release; each check gives its findings as sentences. */
import { createHash } from 'node:crypto';

export interface ReleaseFiles {
  /** Of `package.json`. */
  readonly version: string;
  readonly bundle: Uint8Array;
  /** As the sources build it, twice. */
  readonly rebuilt: readonly Uint8Array[];
  readonly packedOrb: string;
  readonly changelog: string;
  /** Documents and examples that name the orb, by path. */
  readonly documents: ReadonlyMap<string, string>;
  /** A tag `vX.Y.Z` of the commit, when there is one. */
  readonly tag?: string | undefined;
}

const ORB_REFERENCE = /teleport\/machine-id@(\d+\.\d+\.\d+|[\w.]+)/g;

/** Findings; none when a release may go out. */
export function releaseFindings(files: ReleaseFiles): readonly string[] {
  return [
    ...versionFindings(files),
    ...bundleFindings(files),
    ...orbFindings(files),
    ...changelogFindings(files),
    ...documentFindings(files),
  ];
}

function versionFindings({ tag, version }: ReleaseFiles): readonly string[] {
  const findings = /^\d+\.\d+\.\d+$/.test(version) ? [] : [`package.json: ${version} is no X.Y.Z, which orbs need`];
  if (tag !== undefined && tag !== `v${version}`)
    return [...findings, `the tag is ${tag}, package.json has ${version}`];
  return findings;
}

function bundleFindings({ bundle, rebuilt }: ReleaseFiles): readonly string[] {
  return rebuilt.flatMap((bytes, at) =>
    Buffer.from(bundle).equals(bytes) ? [] : [`dist/machine-id.cjs is not what build ${at + 1} of the sources gives`],
  );
}

/** Every digest, version and address in the orb, wherever a script holds one. */
function orbFindings({ bundle, packedOrb, version }: ReleaseFiles): readonly string[] {
  const expected = createHash('sha256').update(bundle).digest('hex');
  const digests = [...packedOrb.matchAll(/sha256='([^']*)'/g)].map(([, digest]) => digest);
  const versions = [...packedOrb.matchAll(/version='(\d+\.\d+\.\d+[^']*)'/g)].map(([, text]) => text);
  const address = `/releases/download/v${version}/machine-id.cjs`;
  return [
    ...(digests.length === 0 ? ['the packed orb holds no digest'] : []),
    ...digests
      .filter((digest) => digest !== expected)
      .map((digest) => `the packed orb holds the digest ${digest ?? ''}`),
    ...versions
      .filter((text) => text !== version)
      .map((text) => `a script of the packed orb is of version ${text ?? ''}`),
    ...(packedOrb.includes(address) ? [] : [`the packed orb does not download ${address}`]),
  ];
}

/** Unreleased is what it says until the day of the release. */
function changelogFindings({ changelog, tag, version }: ReleaseFiles): readonly string[] {
  const [, heading = ''] = /^## (.*)$/m.exec(changelog) ?? [];
  if (!heading.startsWith(`${version} - `)) return [`CHANGELOG.md begins with "${heading}", not with ${version}`];
  const date = heading.slice(version.length + 3);
  if (tag !== undefined && !/^\d{4}-\d{2}-\d{2}$/.test(date))
    return [`CHANGELOG.md has no date for ${version}: ${date}`];
  return [];
}

function documentFindings({ documents, version }: ReleaseFiles): readonly string[] {
  return [...documents].flatMap(([path, text]) =>
    [...text.matchAll(ORB_REFERENCE)].flatMap(([, named = '']) =>
      fits(named, version) ? [] : [`${path} names version ${named} of the orb`],
    ),
  );
}

/** `1`, `1.2` and `1.2.3` all fit 1.2.3; words stand for versions in prose. */
function fits(named: string, version: string): boolean {
  return !/^\d/.test(named) || version === named || version.startsWith(`${named}.`);
}
