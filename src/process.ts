/** Runs a command with the real effects, and exits with its code. */
import { sharedController, systemClock } from './effects/time.ts';
import { systemFiles } from './effects/files.ts';
import type { Commands } from './effects/programs.ts';
import { createMask } from './effects/secret.ts';
import { listenToSignals } from './effects/signals.ts';
import { isReaderGone, outputStream, stdoutUnwritable, writeAll, writeOrDrop, writeText } from './effects/streams.ts';
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
  killRunningChildren?.();
  process.removeAllListeners(name);
  process.kill(process.pid, name);
}

const STDIN = 0;
// Node creates these two streams when they are first used, and a command that prints a line or nothing does not need them.
const stdout = outputStream(1, () => process.stdout);
const stderr = outputStream(2, () => process.stderr);

// Code that starts programs is loaded when a command starts one.
let killRunningChildren: (() => void) | undefined;
const programs = async () => {
  const loaded = await import('./effects/programs.ts');
  killRunningChildren = loaded.killRunningChildren;
  return loaded;
};
const commands: Commands = { run: async (...call) => (await programs()).systemCommands.run(...call) };

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
  openLargeFiles: async () => (await import('./effects/large-files.ts')).systemLargeFiles,
  commands,
  listProcesses: async () => (await import('./effects/processes.ts')).listProcessesBy(commands)(),
  follow: async (...call) => (await programs()).followProgram(...call),
  startDetached: async (...call) => (await import('./effects/detached.ts')).startDetached(...call),
  openStarterPipe: async () => (await import('./effects/detached.ts')).openStarterPipe(),
  runInForeground: async (...call) => {
    const { foregroundIn } = await import('./effects/foreground.ts');
    return foregroundIn({ forwardSignals, stdout, stderr })(...call);
  },
  startOrphanGuard: async (...call) => (await import('./effects/orphan-guard.ts')).startOrphanGuard(...call),
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
  openPrompt: async () => {
    const { isatty } = await import('node:tty');
    // Not `process.stdin.isTTY`: accessing process.stdin makes a pipe non-blocking, and others may share it.
    if (!isatty(STDIN) || !process.stdout.isTTY) return undefined;
    const { openPrompt } = await import('./effects/prompt.ts');
    stdinIsOpen = true;
    return openPrompt(process.stdin, process.stdout, interrupted.signal);
  },
  writeStdout: (parts) => writeAll(stdout, parts),
  stderr: (text) => {
    writeOrDrop(stderr, mask.apply(text));
  },
  get stderrIsTerminal() {
    return process.stderr.isTTY;
  },
  get stdoutIsTerminal() {
    return process.stdout.isTTY;
  },
  signal: interrupted.signal,
};

const args = process.argv.slice(2);
// Unhandled rejections come here too. The program's state may be inconsistent from here on, so it ends.
process.on('uncaughtException', (cause) => {
  reportFailure(uncaughtError(cause), args, world);
  killRunningChildren?.();
  process.exit(1);
});

void runProgram(args, world).then((exitCode) => {
  process.exitCode = exitCode;
  // An open stdin would keep the process alive until its other end closes.
  if (stdinIsOpen) process.stdin.destroy();
});

function print(text: string): Promise<void> {
  return writeText(stdout, mask.apply(text));
}
