/** Replaces the placeholders of an orb that only a release knows: version, digest and URL of the script. */
import { createHash } from 'node:crypto';
import { brotliCompressSync, constants } from 'node:zlib';
import { toBase85 } from './base85.ts';
import { OrbSourceError } from './source-error.ts';

export interface OrbRelease {
  readonly version: string;
  /** Lower-case hex digits. */
  readonly bundleSha256: string;
  /** Of the script compressed by gzip, a third of its bytes; `install` decompresses what has a name that ends in `.gz`. */
  readonly downloadUrl: string;
  /** The script for `delivery: embedded`: brotli in base85, split into one part for each placeholder in the orb. */
  readonly bundleParts: readonly string[];
}

/** The smallest limit for a part is the length of an environment variable on Windows. */
const LONGEST_PART = 30_000;
const PLACE = /__BUNDLE_PART_(\d+)__/g;

/**
 * The release that offers `bundle` as an asset of the repository at `sourceUrl`.
 * @param places the number of placeholders in the orb for parts of the bundle
 */
export function releaseOf(bundle: Uint8Array, version: string, sourceUrl: string, places: number): OrbRelease {
  return {
    version,
    bundleSha256: createHash('sha256').update(bundle).digest('hex'),
    downloadUrl: `${sourceUrl}/releases/download/v${version}/machine-id.cjs.gz`,
    bundleParts: partsOf(bundle, places),
  };
}

/** The number of placeholders for parts of the bundle. */
export function placesIn(texts: Iterable<string>): number {
  return new Set([...texts].flatMap((text) => text.match(PLACE) ?? [])).size;
}

function partsOf(bundle: Uint8Array, places: number): readonly string[] {
  const quality = { [constants.BROTLI_PARAM_QUALITY]: constants.BROTLI_MAX_QUALITY };
  const text = toBase85(brotliCompressSync(bundle, { params: quality }));
  const length = Math.ceil(text.length / Math.max(places, 1));
  if (places > 0 && length > LONGEST_PART) {
    throw new OrbSourceError([
      `a part of the embedded script has ${length} characters, more than ${LONGEST_PART}: add placeholders to the command install`,
    ]);
  }
  return Array.from({ length: places }, (_, at) => text.slice(at * length, (at + 1) * length));
}

/** Replaces all placeholders. Fails if any is left, so that no orb ships with one. */
export function withRelease(text: string, release: OrbRelease): string {
  const filled = text
    .replaceAll('__VERSION__', release.version)
    .replaceAll('__BUNDLE_SHA256__', release.bundleSha256)
    .replaceAll('__DOWNLOAD_URL__', release.downloadUrl)
    .replaceAll(PLACE, (placeholder, at: string) => release.bundleParts[Number(at) - 1] ?? placeholder);
  const unknown = new Set(filled.match(/__[A-Z][A-Z0-9_]*__/g));
  if (unknown.size > 0) throw new OrbSourceError([...unknown].map((name) => `unknown placeholder ${name}`));
  return filled;
}
