/** Entry of the bundle: the real effects go in, a command runs, its exit code comes out. */
import { isatty } from 'node:tty';
import { sharedController, systemClock } from './effects/time.ts';
import { systemFiles } from './effects/files.ts';
import { systemLargeFiles } from './effects/large-files.ts';
import { listProcessesBy } from './effects/processes.ts';
import { followProgram, killRunningChildren, systemCommands } from './effects/programs.ts';
import { createMask } from './effects/secret.ts';
import { ignoreStreamErrors, isReaderGone, stdoutUnwritable, writeAll, writeOrDrop } from './effects/streams.ts';
import { openPrompt } from './effects/terminal.ts';
import type { World } from './effects/world.ts';
import { MachineIdError, uncaughtError } from './errors.ts';
import { reportFailure, runProgram } from './program.ts';

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
const stdout = { stream: process.stdout, descriptor: 1 };
const stderr = { stream: process.stderr, descriptor: 2 };
for (const output of [stdout, stderr]) ignoreStreamErrors(output);

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
  random: Math.random,
  files: systemFiles,
  largeFiles: systemLargeFiles,
  commands: systemCommands,
  listProcesses: listProcessesBy(systemCommands),
  follow: followProgram,
  mask,
  stdout: (text) =>
    print(text).catch((cause: unknown) => {
      if (!isReaderGone(cause)) throw stdoutUnwritable(cause);
    }),
  result: (text) =>
    print(text).catch((cause: unknown) => {
      throw stdoutUnwritable(cause);
    }),
  stdin: () => {
    stdinIsOpen = true;
    return process.stdin;
  },
  openPrompt:
    // Node makes a pipe non-blocking when it is looked at as process.stdin, and others may share it.
    isatty(STDIN) && process.stdout.isTTY
      ? () => {
          stdinIsOpen = true;
          return openPrompt(process.stdin, process.stdout, interrupted.signal);
        }
      : undefined,
  writeStdout: (parts) => writeAll(stdout, parts),
  stderr: (text) => {
    writeOrDrop(stderr, mask.apply(text));
  },
  stderrIsTerminal: process.stderr.isTTY,
  stdoutIsTerminal: process.stdout.isTTY,
  signal: interrupted.signal,
};

const args = process.argv.slice(2);
// A rejection that nothing handles comes here too. What the program knows may be wrong from here on, so it ends.
process.on('uncaughtException', (cause) => {
  reportFailure(uncaughtError(cause), args, world);
  killRunningChildren();
  process.exit(1);
});

void runProgram(args, world).then((exitCode) => {
  process.exitCode = exitCode;
  // A reader that is left behind would keep the process alive for as long as the other end stays.
  if (stdinIsOpen) process.stdin.destroy();
});

function print(text: string): Promise<void> {
  return writeAll(stdout, [Buffer.from(mask.apply(text))]);
}
