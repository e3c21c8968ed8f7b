/** All effects of a command on the outside world, in one interface. */
import type { Clock } from './time.ts';
import type { LinePipe, StartDetached } from './detached.ts';
import type { Files } from './files.ts';
import type { RunInForeground } from './foreground.ts';
import type { LargeFiles } from './large-files.ts';
import type { StartOrphanGuard } from './orphan-guard.ts';
import type { ListProcesses } from './processes.ts';
import type { Commands, Follow } from './programs.ts';
import type { Mask } from './secret.ts';
import type { Prompt } from './prompt.ts';

export interface World {
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly workingDirectory: string;
  /** Absolute path of the Node binary that runs this program. */
  readonly nodePath: string;
  /** Options of Node on the command line, before the bundle. */
  readonly nodeArguments: readonly string[];
  /** For example `v22.11.0`. */
  readonly nodeVersion: string;
  /** Absolute path of the bundle itself. */
  readonly bundlePath: string;
  /** In Node's notation: `x64`, `arm64`. */
  readonly architecture: string;
  readonly clock: Clock;
  /** From 0 to below 1; for spreading load, not for secrets. */
  readonly random: () => number;
  readonly files: Files;
  readonly openLargeFiles: () => Promise<LargeFiles>;
  readonly commands: Commands;
  readonly listProcesses: ListProcesses;
  readonly follow: Follow;
  readonly startDetached: StartDetached;
  /** Opens the pipe to the process that started this one in the background; rejects with Node's own error if there is none. */
  readonly openStarterPipe: () => Promise<LinePipe>;
  /** That pipe, in a process that was started in the background. */
  readonly starter?: LinePipe;
  readonly runInForeground: RunInForeground;
  readonly startOrphanGuard: StartOrphanGuard;
  readonly mask: Mask;
  /**
   * Writes text for people to stdout. Ignores that the reader of a pipe is gone.
   * @throws MachineIdError STDOUT_UNWRITABLE
   */
  readonly stdout: (text: string) => Promise<void>;
  /**
   * Writes a result for programs to stdout: it is delivered completely, or the command fails.
   * @throws MachineIdError STDOUT_UNWRITABLE
   */
  readonly result: (text: string) => Promise<void>;
  /** Standard input, in chunks. */
  readonly stdin: () => AsyncIterable<Uint8Array>;
  /** Undefined unless stdin and stdout are both a terminal, so that the user can be asked. */
  readonly openPrompt: () => Promise<Prompt | undefined>;
  /** Writes bytes to stdout; resolves when more may be written, rejects with Node's own error. */
  readonly writeStdout: (parts: readonly Uint8Array[]) => Promise<void>;
  /** Writes to stderr. Never throws: drops what cannot be written. */
  readonly stderr: (text: string) => void;
  /** Whether a line on stderr can be overwritten. */
  readonly stderrIsTerminal: boolean;
  readonly stdoutIsTerminal: boolean;
  /** Aborted with a MachineIdError INTERRUPTED on SIGHUP, SIGINT and SIGTERM. */
  readonly signal: AbortSignal;
}

/** The internal command that precedes the command of a process in the background. */
export const BACKGROUND_COMMAND = 'background';

declare const __VERSION__: string | undefined;

/** Set by the build; `0.0.0-source` if the sources run without one. */
export const VERSION: string = typeof __VERSION__ === 'undefined' ? '0.0.0-source' : __VERSION__;

/** Sent with every gRPC call and HTTP request, so that administrators can find this program in their logs. */
export const USER_AGENT = `machine-id/${VERSION}`;
