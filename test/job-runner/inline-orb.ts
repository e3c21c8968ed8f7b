/** Puts a packed orb inline into a config, in place of a reference to the registry. */
import { parse, parseDocument } from 'yaml';

export function inlineOrb(config: string, name: string, orb: string): string {
  const document = parseDocument(config, { version: '1.1' });
  document.setIn(['orbs', name], document.createNode(parse(orb, { version: '1.1' })));
  return document.toString({ lineWidth: 0 });
}
