/** The colours of what a command says to a person. */
import { type Style, styleFor } from '../effects/style.ts';
import type { World } from '../effects/world.ts';

export function stderrStyle({ environment, stderrIsTerminal }: Pick<World, 'environment' | 'stderrIsTerminal'>): Style {
  return styleFor(stderrIsTerminal, environment);
}
