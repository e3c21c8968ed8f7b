/** What the Auth Service writes to its log, where it is the only place for the reason of a refusal. */

export interface LogEntry {
  readonly level: 'WARN' | 'ERROR';
  readonly message: string;
  /** The text of the error, which can have several lines. */
  readonly error: string;
}

export class AuthLog {
  readonly #all: LogEntry[] = [];
  /** Called with each entry as it is written. */
  onEntry: ((entry: LogEntry) => void) | undefined;

  add(entry: LogEntry): void {
    this.#all.push(entry);
    this.onEntry?.(entry);
  }

  get all(): readonly LogEntry[] {
    return this.#all;
  }

  clear(): void {
    this.#all.length = 0;
  }
}

/** One line, in the form of Teleport's text log. */
export function logLine({ error, level, message }: LogEntry): string {
  return `${level} [AUTH] ${message} error:${JSON.stringify(error)}`;
}
