/** Checks that a published orb contains a given script. */
import { fromBase85 } from '../orb-pack/base85.ts';
import { createHash } from 'node:crypto';
import { brotliDecompressSync } from 'node:zlib';
import { parse } from 'yaml';

/**
 * @returns the problems; empty if digest, version and embedded script of the orb match `bundle`
 * @param hasScript whether the orb has an embedded script
 */
export function orbFindings(
  packedOrb: string,
  bundle: Uint8Array,
  version: string,
  hasScript = true,
): readonly string[] {
  const text = textOf(packedOrb);
  const built = createHash('sha256').update(bundle).digest('hex');
  const inside = embeddedScript(text);
  return [
    ...digestFindings(text, built),
    ...(!hasScript || (inside !== undefined && Buffer.from(bundle).equals(inside))
      ? []
      : ['the script in the orb is not the one that its tag builds']),
    ...(packedOrb.includes(`version='${version}'`) ? [] : [`the orb does not contain the version ${version}`]),
  ];
}

/** The values of the orb as one text, in which a line break is `\\n`. */
function textOf(packedOrb: string): string {
  try {
    return JSON.stringify(parse(packedOrb));
  } catch {
    // The comparison with the orb that the tag packs reports the invalid YAML.
    return '';
  }
}

function digestFindings(text: string, built: string): readonly string[] {
  const named = new Set([...text.matchAll(/\\nmi_sha256='([^']*)'/g)].map(([, digest = '']) => digest));
  const others = [...named].filter((digest) => digest !== built);
  return [
    ...(named.size === 0 ? ['the orb contains no digest of its script'] : []),
    ...others.map((digest) => `the orb accepts the script ${digest}, but its tag builds ${built}`),
  ];
}

/** The script that `delivery: embedded` unpacks; undefined if unpacking fails. */
function embeddedScript(text: string): Buffer | undefined {
  const parts = [...text.matchAll(/"MACHINE_ID_BUNDLE_(\d+)":"([^"]*)"/g)]
    .map(([, at = '', part = '']) => ({ at: Number(at), part }))
    .sort((one, other) => one.at - other.at);
  try {
    return brotliDecompressSync(fromBase85(parts.map(({ part }) => part).join('')));
  } catch {
    return undefined;
  }
}
