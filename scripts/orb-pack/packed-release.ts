/** The orb of a release: packed from its sources, with version, digest and address of the built script in it. */
import { parse } from 'yaml';
import { packOrb } from './pack.ts';
import { placesIn, releaseOf, withRelease } from './release.ts';
import { withWholeScripts } from './scripts.ts';
import { OrbSourceError } from './source-error.ts';

export interface ReleaseParts {
  readonly files: ReadonlyMap<string, string>;
  readonly bundle: Uint8Array;
  readonly version: string;
  /** Instead of the release asset of the repository that the orb names. */
  readonly downloadUrl?: string | undefined;
}

/** The packed orb. @throws OrbSourceError */
export function packRelease(parts: ReleaseParts): string {
  return packOrb(releaseTree(parts));
}

/**
 * The source tree as CircleCI's own packers can take it: whole scripts, and nothing left to fill in. What is filled in
 * before packing stays the string that its quotes say.
 * @throws OrbSourceError
 */
export function releaseTree({ files, bundle, version, downloadUrl }: ReleaseParts): ReadonlyMap<string, string> {
  const found = releaseOf(bundle, version, sourceUrlOf(files), placesIn(files.values()));
  const release = { ...found, downloadUrl: downloadUrl ?? found.downloadUrl };
  return new Map([...withWholeScripts(files)].map(([path, text]) => [path, withRelease(text, release)]));
}

/** `display.source_url` is the one place that says where the project and its releases live. */
export function sourceUrlOf(files: ReadonlyMap<string, string>): string {
  const orb: unknown = parse(files.get('@orb.yml') ?? '');
  if (typeof orb === 'object' && orb !== null && 'display' in orb) {
    const { display } = orb;
    if (typeof display === 'object' && display !== null && 'source_url' in display) {
      if (typeof display.source_url === 'string') return display.source_url;
    }
  }
  throw new OrbSourceError(['@orb.yml: display.source_url is missing; the address of releases is made from it']);
}
