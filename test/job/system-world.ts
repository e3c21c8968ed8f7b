/** The effects of this process, for tests of processes that outlive others. */
import { openStarterPipe, startDetached } from '../../src/effects/detached.ts';
import { systemFiles } from '../../src/effects/files.ts';
import { systemLargeFiles } from '../../src/effects/large-files.ts';
import { listProcessesBy } from '../../src/effects/processes.ts';
import { followProgram, systemCommands } from '../../src/effects/programs.ts';
import { createMask } from '../../src/effects/secret.ts';
import { systemClock } from '../../src/effects/time.ts';
import type { World } from '../../src/effects/world.ts';

const unused = (): never => {
  throw new Error('not used here');
};

export function systemWorld(changes: Partial<World>): World {
  return {
    environment: {},
    workingDirectory: process.cwd(),
    nodePath: process.execPath,
    nodeArguments: process.execArgv,
    nodeVersion: process.version,
    bundlePath: '',
    architecture: process.arch,
    clock: systemClock,
    random: Math.random,
    files: systemFiles,
    openLargeFiles: () => Promise.resolve(systemLargeFiles),
    commands: systemCommands,
    listProcesses: listProcessesBy(systemCommands),
    follow: followProgram,
    runInForeground: unused,
    startOrphanGuard: unused,
    startDetached: (...call) => Promise.resolve(startDetached(...call)),
    openStarterPipe: () => Promise.resolve(openStarterPipe()),
    mask: createMask(),
    stdout: unused,
    result: unused,
    stdin: unused,
    openPrompt: () => Promise.resolve(undefined),
    writeStdout: unused,
    stderr: unused,
    stderrIsTerminal: false,
    stdoutIsTerminal: false,
    signal: new AbortController().signal,
    ...changes,
  };
}
