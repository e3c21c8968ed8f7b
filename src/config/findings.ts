/** Collects everything that is wrong or odd about the configuration, to be told at once. */
import type { Fault } from '../errors.ts';
import { MachineIdError, printable } from '../errors.ts';
import type { Origin } from './settings.ts';
import { NOT_EXPANDED } from './unexpanded.ts';

/** A message stays readable whatever a file holds; `faults` of the error has all of them. */
const MOST_SHOWN = 25;

const HINT = 'Correct the configuration and run again; nothing was contacted and nothing was written.';
const EXPANDED_HINT =
  'What only the job knows belongs in --destination: the orb expands $NAME, ${NAME} and a leading ~/ in its parameters, and nothing else; on a command line, the shell expands "$HOME/creds".';

export class Findings {
  readonly warnings: string[] = [];
  readonly #faults: (Fault & { readonly text: string })[] = [];

  get hasFaults(): boolean {
    return this.#faults.length > 0;
  }

  hasFaultAt(path: string): boolean {
    return this.#faults.some((fault) => fault.path === path);
  }

  refuse(origin: Origin, message: string): void {
    const { path, line } = origin;
    const text = printable(`${placeOf(origin)}: ${message}`);
    this.#faults.push({ path, ...(line === undefined ? {} : { line }), message: printable(message), text });
  }

  warn(message: string): void {
    this.warnings.push(printable(message));
  }

  warnAt(origin: Origin, message: string): void {
    this.warn(`${placeOf(origin)}: ${message}`);
  }

  toError(): MachineIdError {
    // In the order of the file, and what is missing altogether last.
    this.#faults.sort((one, other) => lineOf(one) - lineOf(other));
    const texts = shorten(this.#faults.map(({ text }) => text));
    const [message = '', ...lines] =
      texts.length === 1 ? texts : [`the configuration has ${this.#faults.length} faults:`, ...texts.map(indented)];
    // A mistyped key is often why something else is missing.
    const noticed = this.warnings.length === 0 ? [] : ['also noticed:', ...shorten(this.warnings).map(indented)];
    return new MachineIdError('CONFIG_INVALID', message, {
      lines: [...lines, ...noticed],
      hint: this.#faults.some((fault) => fault.message.includes(NOT_EXPANDED)) ? `${HINT} ${EXPANDED_HINT}` : HINT,
      faults: this.#faults.map(({ path, line, message }) => ({
        path,
        ...(line === undefined ? {} : { line }),
        message,
      })),
    });
  }
}

/** The document as a whole has no path worth showing. */
function placeOf({ path, label }: Origin): string {
  return path === 'document' || path === label ? label : `${label}: ${path}`;
}

function indented(text: string): string {
  return `  ${text}`;
}

function shorten(texts: readonly string[]): readonly string[] {
  if (texts.length <= MOST_SHOWN) return texts;
  return [...texts.slice(0, MOST_SHOWN), `and ${texts.length - MOST_SHOWN} more`];
}

function lineOf({ line }: Fault): number {
  return line ?? Number.MAX_SAFE_INTEGER;
}
