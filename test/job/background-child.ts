/** A process in the background for tests, which behaves as its argument says. */
import { openStarterPipe } from '../../src/effects/detached.ts';
import { MachineIdError } from '../../src/errors.ts';
import { type Background, runBackground } from '../../src/job/background-work.ts';
import { systemWorld } from './system-world.ts';

const [, behaviour = ''] = process.argv.slice(2);
const interrupted = new AbortController();
process.on('SIGTERM', () => {
  interrupted.abort(new MachineIdError('INTERRUPTED', 'interrupted by SIGTERM', { hint: 'none' }));
});

const world = systemWorld({
  environment: process.env,
  signal: interrupted.signal,
  starter: openStarterPipe(),
});

await runBackground(world, { kind: 'keeper', name: 'test' }, work).catch(() => {
  process.exitCode = 1;
});

async function work({ ready, report, world: { clock, signal, stderr } }: Background): Promise<void> {
  stderr(`it is ${behaviour}\n`);
  if (behaviour === 'unable') throw new MachineIdError('JOIN_DENIED', 'the bot is locked', { hint: 'Unlock it.' });
  if (behaviour === 'dying') process.kill(process.pid, 'SIGKILL');
  if (behaviour !== 'late') await ready({ listens: 'localhost:1' });
  if (behaviour === 'ending') return report({ done: true });
  await clock.sleep(60_000, behaviour === 'stubborn' ? undefined : signal);
}
