/** Questions to the user at a terminal. */
import { createInterface } from 'node:readline';
import { MachineIdError } from '../errors.ts';

export interface Prompt {
  /**
   * Prints the question and resolves with the next line.
   * @throws MachineIdError INTERRUPTED if the user ends the input
   */
  ask(question: string): Promise<string>;
  /** Releases the terminal. */
  end(): void;
}

interface Waiting {
  readonly resolve: (line: string) => void;
  readonly reject: (reason: unknown) => void;
}

/** Lines that arrive before their question, for example when several are pasted at once, are kept for it. */
export function openPrompt(input: NodeJS.ReadableStream, output: NodeJS.WritableStream, signal: AbortSignal): Prompt {
  const lines: string[] = [];
  let waiting: Waiting | undefined;
  let ended: unknown;
  const terminal = createInterface({ input, output, terminal: true, historySize: 0 });
  const end = (reason: unknown) => {
    ended ??= reason;
    waiting?.reject(ended);
    waiting = undefined;
    terminal.close();
  };
  const onAbort = () => {
    end(signal.reason);
  };
  signal.addEventListener('abort', onAbort);
  terminal.on('line', (line) => {
    if (waiting === undefined) lines.push(line);
    else waiting.resolve(line);
    waiting = undefined;
  });
  // In this mode, Ctrl-C and Ctrl-D arrive as keys, not as signals.
  terminal.on('SIGINT', () => {
    end(interrupted('Ctrl-C'));
  });
  // A terminal that hangs up fails with EIO.
  input.on('error', end);
  terminal.on('close', () => {
    signal.removeEventListener('abort', onAbort);
    end(interrupted('the end of the input'));
  });
  return {
    ask: (question) => {
      if (ended !== undefined) return Promise.reject(asError(ended));
      terminal.setPrompt(question);
      terminal.prompt();
      const line = lines.shift();
      if (line !== undefined) {
        output.write(`${line}\n`);
        return Promise.resolve(line);
      }
      return new Promise((resolve, reject) => {
        waiting = { resolve, reject };
      });
    },
    end: () => {
      terminal.close();
    },
  };
}

function asError(reason: unknown): Error {
  return reason instanceof Error ? reason : new Error(String(reason));
}

function interrupted(by: string): MachineIdError {
  return new MachineIdError('INTERRUPTED', `interrupted by ${by}`, {
    hint: 'Run the command again. Nothing was written.',
  });
}
