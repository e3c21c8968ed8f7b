/** Processes that outlive the one that starts them, and the pipe between the two until the new one is ready. */
import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, constants } from 'node:fs';
import { Socket } from 'node:net';
import { errorCode } from './file-error.ts';
import { openPlainFile } from './open-file.ts';

/** Carries lines in both directions. */
export interface LinePipe {
  /** The next line; undefined when the other end has closed the pipe or exited, or sends a line longer than 64 KiB. */
  read(): Promise<string | undefined>;
  /** Resolves when the system has the line; a line that the other end no longer reads is dropped. */
  write(line: string): Promise<void>;
  close(): void;
}

export interface DetachedProcess {
  readonly pipe: LinePipe;
  /** How it ended, as the end of a sentence about it: `exited with code 1`. Never rejects. */
  readonly ended: Promise<string>;
  signal(name: 'SIGTERM' | 'SIGKILL'): void;
  /** Closes the pipe, and lets this process exit before the other one. */
  release(): void;
}

/**
 * Starts a program in a separate session, without this process's stdin, stdout and stderr, so that a step can end while it
 * runs. Its stdout and stderr are appended to the file `logPath`; the pipe is its file descriptor 3.
 * @throws Node's own error if the log cannot be opened
 */
export type StartDetached = (
  file: string,
  args: readonly string[],
  options: DetachedOptions,
) => Promise<DetachedProcess>;

export interface DetachedOptions {
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly logPath: string;
}

const PIPE = 3;

export const startDetached = (
  file: string,
  args: readonly string[],
  { environment, logPath }: DetachedOptions,
): DetachedProcess => {
  const log = openPlainFile(logPath, constants.O_WRONLY | constants.O_APPEND);
  try {
    return watched(spawn(file, [...args], { detached: true, env: environment, stdio: ['ignore', log, log, 'pipe'] }));
  } finally {
    closeSync(log);
  }
};

function watched(child: ChildProcess): DetachedProcess {
  const socket = child.stdio[PIPE];
  const pipe = socket instanceof Socket ? linePipe(socket) : CLOSED_PIPE;
  const ended = new Promise<string>((resolve) => {
    child.once('error', (error) => {
      resolve(`could not be started: ${errorCode(error) ?? error.message}`);
    });
    child.once('exit', (exitCode, by) => {
      resolve(exitCode === null ? `was ended by ${by ?? 'a signal'}` : `exited with code ${exitCode}`);
    });
  });
  return {
    pipe,
    ended,
    signal: (name) => {
      child.kill(name);
    },
    release: () => {
      pipe.close();
      child.unref();
    },
  };
}

/**
 * The pipe to the process that started this one.
 * @throws Node's own error if there is none
 */
export function openStarterPipe(): LinePipe {
  return linePipe(new Socket({ fd: PIPE, readable: true, writable: true }));
}

const CLOSED_PIPE: LinePipe = {
  read: () => Promise.resolve(undefined),
  write: () => Promise.resolve(),
  close: () => undefined,
};

const MAX_LINE_CHARS = 64 * 1024;

function linePipe(socket: Socket): LinePipe {
  const waiting: ((line: string | undefined) => void)[] = [];
  const lines: string[] = [];
  let rest = '';
  let isClosed = false;
  const close = () => {
    isClosed = true;
    socket.destroy();
    for (const resolve of waiting.splice(0)) resolve(undefined);
  };
  socket.setEncoding('utf8');
  socket.on('error', close); // the other end is gone
  socket.on('close', close);
  socket.on('end', close);
  socket.on('data', (text: string) => {
    const parts = (rest + text).split('\n');
    rest = parts.pop() ?? '';
    for (const line of parts) {
      const resolve = waiting.shift();
      if (resolve === undefined) lines.push(line);
      else resolve(line);
    }
    if (rest.length + lines.join('').length > MAX_LINE_CHARS) close();
  });
  return {
    read: () => {
      const line = lines.shift();
      if (line !== undefined || isClosed) return Promise.resolve(line);
      return new Promise((resolve) => waiting.push(resolve));
    },
    write: (line) =>
      new Promise((resolve) => {
        if (isClosed) resolve();
        else {
          socket.write(`${line}\n`, () => {
            resolve();
          });
        }
      }),
    close,
  };
}
