/** Makes whole lines of text that comes in portions: in a part of a secret, no mask would know it. */

export interface Lines {
  push(text: string): void;
  /** Hands on what stands behind the last line break. */
  end(): void;
}

/** A longer line is handed on in parts rather than kept. */
const LONGEST_LINE = 1024 * 1024;

/** @param onLine is given each line without its line break */
export function createLines(onLine: (line: string) => void): Lines {
  let rest = '';
  return {
    push: (text) => {
      const lines = (rest + text).split(/\r?\n/);
      rest = lines.pop() ?? '';
      for (const line of lines) onLine(line);
      if (rest.length < LONGEST_LINE) return;
      onLine(rest);
      rest = '';
    },
    end: () => {
      if (rest !== '') onLine(rest);
      rest = '';
    },
  };
}
