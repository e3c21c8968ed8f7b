/** Checks that version, bundle, orb, changelog and documents are consistent before a release. */
import { createHash } from 'node:crypto';

export interface ReleaseFiles {
  /** The version in `package.json`. */
  readonly version: string;
  readonly bundle: Uint8Array;
  /** Two builds of the sources. */
  readonly rebuilt: readonly Uint8Array[];
  readonly packedOrb: string;
  readonly changelog: string;
  /** Documents and examples with references to the orb, by path. */
  readonly documents: ReadonlyMap<string, string>;
  /** The tag `vX.Y.Z` of the commit, if any. */
  readonly tag?: string | undefined;
}

const ORB_REFERENCE = /teleport\/machine-id@(\d+\.\d+\.\d+|[\w.]+)/g;

/** @returns the problems; empty if the release can be published */
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
  const findings = /^\d+\.\d+\.\d+$/.test(version) ? [] : [`package.json: the version must be X.Y.Z, got ${version}`];
  if (tag !== undefined && tag !== `v${version}`)
    return [...findings, `the tag is ${tag}, but package.json has ${version}`];
  return findings;
}

function bundleFindings({ bundle, rebuilt }: ReleaseFiles): readonly string[] {
  return rebuilt.flatMap((bytes, at) =>
    Buffer.from(bundle).equals(bytes) ? [] : [`dist/machine-id.cjs differs from build ${at + 1} of the sources`],
  );
}

/** Checks every digest, version and URL in the scripts of the orb. */
function orbFindings({ bundle, packedOrb, version }: ReleaseFiles): readonly string[] {
  const expected = createHash('sha256').update(bundle).digest('hex');
  const digests = [...packedOrb.matchAll(/sha256='([^']*)'/g)].map(([, digest]) => digest);
  const versions = [...packedOrb.matchAll(/version='(\d+\.\d+\.\d+[^']*)'/g)].map(([, text]) => text);
  const address = `/releases/download/v${version}/machine-id.cjs.gz`;
  return [
    ...(digests.length === 0 ? ['the packed orb contains no digest'] : []),
    ...digests
      .filter((digest) => digest !== expected)
      .map((digest) => `the packed orb contains the digest ${digest ?? ''}, expected ${expected}`),
    ...versions
      .filter((text) => text !== version)
      .map((text) => `a script of the packed orb has version ${text ?? ''}, expected ${version}`),
    ...(packedOrb.includes(address) ? [] : [`the packed orb does not download ${address}`]),
  ];
}

/** A tagged release needs a date; before that, the heading can be "unreleased". */
function changelogFindings({ changelog, tag, version }: ReleaseFiles): readonly string[] {
  const [, heading = ''] = /^## (.*)$/m.exec(changelog) ?? [];
  if (!heading.startsWith(`${version} - `)) return [`CHANGELOG.md starts with "${heading}", expected ${version}`];
  const date = heading.slice(version.length + 3);
  if (tag !== undefined && !/^\d{4}-\d{2}-\d{2}$/.test(date))
    return [`CHANGELOG.md has no date for ${version}, got "${date}"`];
  return [];
}

function documentFindings({ documents, version }: ReleaseFiles): readonly string[] {
  return [...documents].flatMap(([path, text]) =>
    [...text.matchAll(ORB_REFERENCE)].flatMap(([, named = '']) =>
      matches(named, version) ? [] : [`${path} refers to version ${named} of the orb, expected ${version}`],
    ),
  );
}

/** `1`, `1.2` and `1.2.3` match 1.2.3, and so do placeholders such as `X.Y.Z`. */
function matches(named: string, version: string): boolean {
  return !/^\d/.test(named) || version === named || version.startsWith(`${named}.`);
}
