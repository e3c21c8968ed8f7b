/** Whether a published orb carries a certain script. */
import { createHash } from 'node:crypto';
import { brotliDecompressSync } from 'node:zlib';
import { parse } from 'yaml';

/**
 * Findings; none when digest, version and the script inside the orb are all those of `bundle`.
 * @param hasScript whether the orb has the script inside it at all
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
      : ['the script inside the orb is not the one that its tag builds']),
    ...(packedOrb.includes(`version='${version}'`) ? [] : [`the orb does not call itself ${version}`]),
  ];
}

/** Its values as one text, in which a new line is `\\n`. */
function textOf(packedOrb: string): string {
  try {
    return JSON.stringify(parse(packedOrb));
  } catch {
    // What is wrong with the YAML is a finding of the comparison with what the tag packs.
    return '';
  }
}

function digestFindings(text: string, built: string): readonly string[] {
  const named = new Set([...text.matchAll(/\\nmi_sha256='([^']*)'/g)].map(([, digest = '']) => digest));
  const others = [...named].filter((digest) => digest !== built);
  return [
    ...(named.size === 0 ? ['the orb names no digest of its script'] : []),
    ...others.map((digest) => `the orb accepts the script ${digest}, its tag builds ${built}`),
  ];
}

/** What `delivery: embedded` unpacks; undefined when it cannot be. */
function embeddedScript(text: string): Buffer | undefined {
  const parts = [...text.matchAll(/"MACHINE_ID_BUNDLE_(\d+)":"([^"]*)"/g)]
    .map(([, at = '', part = '']) => ({ at: Number(at), part }))
    .sort((one, other) => one.at - other.at);
  try {
    return brotliDecompressSync(Buffer.from(parts.map(({ part }) => part).join(''), 'base64'));
  } catch {
    return undefined;
  }
}
