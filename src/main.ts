/** Entry of the bundle: the real effects go in, a command runs, its exit code comes out. */
import { isatty } from 'node:tty';
import { runProgram } from './commands/program.ts';
import type { World } from './effects/world.ts';
import { killRunningChildren } from './effects/child-program.ts';
import { systemClock } from './effects/clock.ts';
import { systemCommands } from './effects/commands.ts';
import { converse } from './effects/conversation.ts';
import { systemFiles } from './effects/files.ts';
import { followProgram } from './effects/follow.ts';
import { systemLargeFiles } from './effects/large-files.ts';
import { sharedController } from './effects/shared-controller.ts';
import { writeAll } from './effects/streams.ts';
import { createMask } from './effects/mask.ts';
import { MachineIdError } from './errors.ts';

const interrupted = sharedController();
for (const name of ['SIGHUP', 'SIGINT', 'SIGTERM'] as const) {
  process.on(name, () => {
    // A second signal ends the process at once.
    if (interrupted.signal.aborted) endAtOnce(name);
    interrupted.abort(
      new MachineIdError('INTERRUPTED', `ended by ${name}`, {
        hint: 'Run it again: each output has either all its old files or all its new ones.',
      }),
    );
  });
}

/** As if the signal had not been handled: process.exit would wait for threads, of which one may hang in a name lookup. */
function endAtOnce(name: NodeJS.Signals): void {
  killRunningChildren();
  process.removeAllListeners(name);
  process.kill(process.pid, name);
}

const STDIN = 0;

const mask = createMask();
let stdinIsOpen = false;
const world: World = {
  environment: process.env,
  workingDirectory: process.cwd(),
  nodePath: process.execPath,
  nodeVersion: process.version,
  bundlePath: __filename,
  architecture: process.arch,
  clock: systemClock,
  files: systemFiles,
  largeFiles: systemLargeFiles,
  commands: systemCommands,
  follow: followProgram,
  mask,
  stdout: (text) => process.stdout.write(mask.apply(text)),
  stdin: () => {
    stdinIsOpen = true;
    return process.stdin;
  },
  beginConversation:
    // Node makes a pipe non-blocking when it is looked at as process.stdin, and others may share it.
    isatty(STDIN) && process.stdout.isTTY
      ? () => {
          stdinIsOpen = true;
          return converse(process.stdin, process.stdout, interrupted.signal);
        }
      : undefined,
  writeStdout: (parts) => writeAll(process.stdout, parts),
  stderr: (text) => process.stderr.write(mask.apply(text)),
  stderrIsTerminal: process.stderr.isTTY,
  stdoutIsTerminal: process.stdout.isTTY,
  signal: interrupted.signal,
};

void runProgram(process.argv.slice(2), world).then((exitCode) => {
  process.exitCode = exitCode;
  // A reader that is left behind would keep the process alive for as long as the other end stays.
  if (stdinIsOpen) process.stdin.destroy();
});
