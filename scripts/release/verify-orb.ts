/** Whether a published orb carries a certain script. */
import { createHash } from 'node:crypto';
import { brotliDecompressSync } from 'node:zlib';
import { parse } from 'yaml';
import { digestInOrb } from './checks.ts';

/** Findings; none when digest, version and the script inside the orb are all those of `bundle`. */
export function orbFindings(packedOrb: string, bundle: Uint8Array, version: string): readonly string[] {
  const built = createHash('sha256').update(bundle).digest('hex');
  const named = digestInOrb(packedOrb);
  const inside = embeddedScript(packedOrb);
  return [
    ...(named === built ? [] : [`the orb accepts the script ${named}, its tag builds ${built}`]),
    ...(inside !== undefined && Buffer.from(bundle).equals(inside)
      ? []
      : ['the script inside the orb is not the one that its tag builds']),
    ...(packedOrb.includes(`version='${version}'`) ? [] : [`the orb does not call itself ${version}`]),
  ];
}

/** What `delivery: embedded` unpacks; undefined when it cannot be. */
function embeddedScript(packedOrb: string): Buffer | undefined {
  const text = JSON.stringify(parse(packedOrb));
  const parts = [...text.matchAll(/"MACHINE_ID_BUNDLE_(\d+)":"([^"]*)"/g)]
    .map(([, at = '', part = '']) => ({ at: Number(at), part }))
    .sort((one, other) => one.at - other.at);
  try {
    return brotliDecompressSync(Buffer.from(parts.map(({ part }) => part).join(''), 'base64'));
  } catch {
    return undefined;
  }
}
