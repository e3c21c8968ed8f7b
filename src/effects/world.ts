/** The effects that a command acts through. */
import type { Clock } from './time.ts';
import type { Files } from './files.ts';
import type { LargeFiles } from './large-files.ts';
import type { ListProcesses } from './processes.ts';
import type { Commands, Follow } from './programs.ts';
import type { Mask } from './secret.ts';
import type { Prompt } from './terminal.ts';

export interface World {
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly workingDirectory: string;
  /** Absolute path of the Node binary that runs this program. */
  readonly nodePath: string;
  /** For example `v22.11.0`. */
  readonly nodeVersion: string;
  /** Absolute path of the bundle itself. */
  readonly bundlePath: string;
  /** As Node names it: `x64`, `arm64`. */
  readonly architecture: string;
  readonly clock: Clock;
  /** From 0 to below 1; good for spreading load, not for secrets. */
  readonly random: () => number;
  readonly files: Files;
  readonly largeFiles: LargeFiles;
  readonly commands: Commands;
  readonly listProcesses: ListProcesses;
  readonly follow: Follow;
  readonly mask: Mask;
  /**
   * Text for people on stdout. A reader that has gone has read enough.
   * @throws MachineIdError STDOUT_UNWRITABLE
   */
  readonly stdout: (text: string) => Promise<void>;
  /**
   * A result for programs on stdout: all of it is delivered, or the command fails.
   * @throws MachineIdError STDOUT_UNWRITABLE
   */
  readonly result: (text: string) => Promise<void>;
  /** What is piped into the program, in portions. */
  readonly stdin: () => AsyncIterable<Uint8Array>;
  /** Where stdin and stdout are both a terminal, and so somebody may be asked. */
  readonly openPrompt: (() => Prompt) | undefined;
  /** Bytes for stdout; resolves when more may be written, rejects with Node's own error. */
  readonly writeStdout: (parts: readonly Uint8Array[]) => Promise<void>;
  /** Never throws: what nobody takes is dropped. */
  readonly stderr: (text: string) => void;
  /** Whether a line on stderr can be written over. */
  readonly stderrIsTerminal: boolean;
  readonly stdoutIsTerminal: boolean;
  /** Aborted with a MachineIdError INTERRUPTED on SIGHUP, SIGINT and SIGTERM. */
  readonly signal: AbortSignal;
}

// The version of this program, put in by the build, and the name by which servers know it.

declare const __VERSION__: string | undefined;

/** `0.0.0-source` when the sources run without having been built. */
export const VERSION: string = typeof __VERSION__ === 'undefined' ? '0.0.0-source' : __VERSION__;

/** Sent with every gRPC call and HTTP request, so that administrators find this program in their logs. */
export const USER_AGENT = `machine-id/${VERSION}`;
