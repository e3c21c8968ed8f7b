/** Lines for people, on stderr. */

export interface Log {
  debug(message: string): void;
  info(message: string): void;
  warn(message: string): void;
}

/** A log that writes one line a message; `debug` lines only when `debug` is on. */
export function createLog(write: (text: string) => void, options: { readonly debug: boolean }): Log {
  return {
    debug: (message) => {
      if (options.debug) write(`debug: ${message}\n`);
    },
    info: (message) => {
      write(`${message}\n`);
    },
    warn: (message) => {
      write(`warning: ${message}\n`);
    },
  };
}
