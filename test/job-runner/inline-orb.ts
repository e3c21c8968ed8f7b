/** Puts a packed orb inline into a config, in place of a reference to the registry. */
import { parse, stringify } from 'yaml';
import { mapping } from './mapping.ts';

const YAML = { version: '1.1', lineWidth: 0 } as const;

export function inlineOrb(config: string, name: string, orb: string): string {
  const document = mapping(parse(config, YAML), 'config');
  const orbs = mapping(document.orbs, 'orbs');
  return stringify({ ...document, orbs: { ...orbs, [name]: mapping(parse(orb, YAML), name) } }, YAML);
}
