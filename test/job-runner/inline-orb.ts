/** Inserts packed orbs into a config, instead of references to the registry. */
import { parse } from 'yaml';
import { type Mapping, mapping } from './mapping.ts';

/** Cached by their texts: a test file runs many jobs with the same orb, and parsing it takes longer than some jobs. */
const parsed = new Map<string, Mapping>();

/** @param orbs texts of orbs, by the names that the config uses for them */
export function withOrbs(config: Mapping, orbs: Readonly<Record<string, string>>): Mapping {
  const inline = Object.entries(orbs).map(([name, text]) => [name, orbOf(text, name)] as const);
  return { ...config, orbs: { ...mapping(config.orbs, 'orbs'), ...Object.fromEntries(inline) } };
}

function orbOf(text: string, name: string): Mapping {
  const orb = parsed.get(text) ?? mapping(parse(text, { version: '1.1' }), name);
  parsed.set(text, orb);
  return orb;
}
