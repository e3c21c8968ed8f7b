/** Fills what only a release knows into an orb: version, digest and address of the script. */
import { createHash } from 'node:crypto';
import { OrbSourceError } from './source-error.ts';

export interface OrbRelease {
  readonly version: string;
  /** Lower-case hex digits. */
  readonly bundleSha256: string;
  readonly downloadUrl: string;
}

/** The release that offers `bundle` as an asset of the repository at `sourceUrl`. */
export function releaseOf(bundle: Uint8Array, version: string, sourceUrl: string): OrbRelease {
  return {
    version,
    bundleSha256: createHash('sha256').update(bundle).digest('hex'),
    downloadUrl: `${sourceUrl}/releases/download/v${version}/machine-id.cjs`,
  };
}

/** The text with its placeholders replaced; one that is left over fails, so that no orb ships with it. */
export function withRelease(text: string, release: OrbRelease): string {
  const filled = text
    .replaceAll('__VERSION__', release.version)
    .replaceAll('__BUNDLE_SHA256__', release.bundleSha256)
    .replaceAll('__DOWNLOAD_URL__', release.downloadUrl);
  const unknown = new Set(filled.match(/__[A-Z][A-Z0-9_]*__/g));
  if (unknown.size > 0) throw new OrbSourceError([...unknown].map((name) => `nothing fills the placeholder ${name}`));
  return filled;
}
