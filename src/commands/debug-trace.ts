/** The flag `--debug` of commands that read no configuration. */
import { createLog } from '../effects/log.ts';
import type { World } from '../effects/world.ts';
import { startWireTrace, type WireTrace } from '../teleport/wire-trace.ts';
import type { Flag, GivenFlags } from './command-line.ts';

export const DEBUG_FLAG: Flag = {
  name: 'debug',
  short: 'd',
  help: 'Tell of every connection on stderr (TBOT_DEBUG).',
};

/** @param write to stderr */
export function debugTrace(given: GivenFlags, world: World, write = world.stderr): WireTrace | undefined {
  const { clock, environment } = world;
  if (!given.has('debug') && !/^(1|true)$/i.test(environment.TBOT_DEBUG ?? '')) return undefined;
  const log = createLog(write, { format: 'text', debug: true, nowMs: () => clock.nowMs() });
  return startWireTrace(log, clock);
}
