/** The flag `--debug`, for commands that read no configuration. */
import { createLog } from '../effects/log.ts';
import type { World } from '../effects/world.ts';
import { startWireTrace, type WireTrace } from '../teleport/wire-trace.ts';
import type { Flag } from './command-line.ts';

export const DEBUG_FLAG: Flag = {
  name: 'debug',
  short: 'd',
  help: 'Say more on stderr (TBOT_DEBUG).',
};

/** Read loosely: a report must come out even when the flags themselves are the fault. */
export function wantsDebug(args: readonly string[], { environment }: Pick<World, 'environment'>): boolean {
  return args.includes('--debug') || args.includes('-d') || /^(1|true)$/i.test(environment.TBOT_DEBUG ?? '');
}

/** @param write to stderr */
export function debugTrace(args: readonly string[], world: World, write = world.stderr): WireTrace | undefined {
  if (!wantsDebug(args, world)) return undefined;
  const { clock } = world;
  const log = createLog(write, { format: 'text', debug: true, nowMs: () => clock.nowMs() });
  return startWireTrace(log, clock);
}
