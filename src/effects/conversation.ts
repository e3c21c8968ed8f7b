/** Questions to the person at the terminal, one after the other. */
import { createInterface } from 'node:readline';
import { MachineIdError } from '../errors.ts';

export interface Conversation {
  /**
   * Prints the question and resolves with the next line.
   * @throws MachineIdError INTERRUPTED when the person ends the input
   */
  ask(question: string): Promise<string>;
  /** Gives the terminal back. */
  end(): void;
}

interface Waiting {
  readonly resolve: (line: string) => void;
  readonly reject: (reason: unknown) => void;
}

/** Lines that come before their question, as when several are pasted at once, are kept for it. */
export function converse(
  input: NodeJS.ReadableStream,
  output: NodeJS.WritableStream,
  signal: AbortSignal,
): Conversation {
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
  // The terminal hands Ctrl-C and Ctrl-D over as keys, not as a signal.
  terminal.on('SIGINT', () => {
    end(interrupted('Ctrl-C'));
  });
  // A terminal that was hung up ends in EIO.
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
  return new MachineIdError('INTERRUPTED', `ended by ${by}`, { hint: 'Nothing was written; call it again.' });
}
