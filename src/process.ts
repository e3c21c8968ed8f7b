/** Runs a command with the real effects, and exits with its code. */
import { isatty } from 'node:tty';
import { openStarterPipe, startDetached } from './effects/detached.ts';
import { sharedController, systemClock } from './effects/time.ts';
import { systemFiles } from './effects/files.ts';
import { foregroundIn } from './effects/foreground.ts';
import { systemLargeFiles } from './effects/large-files.ts';
import { startOrphanGuard } from './effects/orphan-guard.ts';
import { listProcessesBy } from './effects/processes.ts';
import { followProgram, killRunningChildren, systemCommands } from './effects/programs.ts';
import { createMask } from './effects/secret.ts';
import { listenToSignals } from './effects/signals.ts';
import { ignoreStreamErrors, isReaderGone, stdoutUnwritable, writeAll, writeOrDrop } from './effects/streams.ts';
import type { World } from './effects/world.ts';
import { MachineIdError, uncaughtError } from './errors.ts';
import { reportFailure, runProgram } from './program.ts';

const OTHERS = 0o077;
// A umask that also takes permissions from the owner would make files and directories that this program cannot use.
process.umask(process.umask(OTHERS) & OTHERS);

const interrupted = sharedController();
const forwardSignals = listenToSignals((name) => {
  // A second signal ends the process at once.
  if (interrupted.signal.aborted) endAtOnce(name);
  interrupted.abort(
    new MachineIdError('INTERRUPTED', `interrupted by ${name}`, {
      hint: 'Run it again. Each output has either all of its old files or all of its new ones.',
    }),
  );
});

/** Ends by the signal itself: process.exit would wait for threads, one of which may hang in a DNS lookup. */
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
  nodeArguments: process.execArgv,
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
  startDetached,
  openStarterPipe,
  runInForeground: foregroundIn({ forwardSignals, stdout, stderr }),
  startOrphanGuard,
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
    // Not `process.stdin.isTTY`: accessing process.stdin makes a pipe non-blocking, and others may share it.
    isatty(STDIN) && process.stdout.isTTY
      ? async () => {
          const { openPrompt } = await import('./effects/prompt.ts');
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
// Unhandled rejections come here too. The program's state may be inconsistent from here on, so it ends.
process.on('uncaughtException', (cause) => {
  reportFailure(uncaughtError(cause), args, world);
  killRunningChildren();
  process.exit(1);
});

void runProgram(args, world).then((exitCode) => {
  process.exitCode = exitCode;
  // An open stdin would keep the process alive until its other end closes.
  if (stdinIsOpen) process.stdin.destroy();
});

function print(text: string): Promise<void> {
  return writeAll(stdout, [Buffer.from(mask.apply(text))]);
}
