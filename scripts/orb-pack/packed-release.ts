/** The orb of a release, packed from its sources, with the version, digest and URL of the built script. */
import { parse } from 'yaml';
import { packOrb } from './pack.ts';
import { placesIn, releaseOf, withRelease } from './release.ts';
import { withWholeScripts } from './scripts.ts';
import { OrbSourceError } from './source-error.ts';

export interface ReleaseParts {
  readonly files: ReadonlyMap<string, string>;
  readonly bundle: Uint8Array;
  readonly version: string;
  /** The release asset in the orb's repository by default. */
  readonly downloadUrl?: string | undefined;
}

/** The packed orb. @throws OrbSourceError */
export function packRelease(parts: ReleaseParts): string {
  return packOrb(releaseTree(parts));
}

/**
 * The source tree for CircleCI's own packers: complete scripts without placeholders. Placeholders are replaced before
 * packing, so that quoted ones stay strings.
 * @throws OrbSourceError
 */
export function releaseTree({ files, bundle, version, downloadUrl }: ReleaseParts): ReadonlyMap<string, string> {
  const found = releaseOf(bundle, version, sourceUrlOf(files), placesIn(files.values()));
  const release = { ...found, downloadUrl: downloadUrl ?? found.downloadUrl };
  return new Map([...withWholeScripts(files)].map(([path, text]) => [path, withRelease(text, release)]));
}

/** Returns `display.source_url`, the only place with the URL of the project and its releases. */
export function sourceUrlOf(files: ReadonlyMap<string, string>): string {
  const orb: unknown = parse(files.get('@orb.yml') ?? '');
  if (typeof orb === 'object' && orb !== null && 'display' in orb) {
    const { display } = orb;
    if (typeof display === 'object' && display !== null && 'source_url' in display) {
      if (typeof display.source_url === 'string') return display.source_url;
    }
  }
  throw new OrbSourceError(['@orb.yml: display.source_url is missing; the URL of releases depends on it']);
}
