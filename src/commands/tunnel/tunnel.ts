/** `tunnel`: opens the tunnels of the configuration, for programs that present no certificate themselves. */
import type { World } from '../../effects/world.ts';
import { MachineIdError } from '../../errors.ts';
import { openRunJournal } from '../run.ts';
import { readTunnelArguments } from './flags.ts';
import { runTunnels } from './foreground.ts';

/** @throws MachineIdError; invalid input is reported before anything is contacted */
export async function tunnel(args: readonly string[], world: World): Promise<void> {
  const given = readTunnelArguments(args);
  if (!given.isForeground) {
    throw new MachineIdError('USAGE_INVALID', 'without --foreground, tunnels are not supported yet', {
      hint: 'Add --foreground, in a step with "background: true".',
    });
  }
  const journal = openRunJournal(world);
  await runTunnels(given, journal, world);
}
