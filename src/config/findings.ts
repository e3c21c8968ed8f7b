/** The origins of settings, and the problems and warnings about them, reported together. */
import { MachineIdError, printable, type Problem } from '../errors.ts';
import { NOT_EXPANDED } from '../schema/unexpanded.ts';

/** Where a setting is configured. */
export interface Origin {
  /** `onboarding.token`, `--token` or `TELEPORT_BOT_TOKEN`. */
  readonly path: string;
  readonly line: number | undefined;
  /** For messages: `tbot.yaml line 3`, or the flag or variable itself. */
  readonly label: string;
}

export interface Setting<T> {
  readonly value: T;
  readonly origin: Origin;
}

/** The origin of a flag or an environment variable. */
export function named(name: string): Origin {
  return { path: name, line: undefined, label: name };
}

/** `value` with its `origin`; undefined if there is no value. */
export function setting<T>(value: T | undefined, origin: Origin): Setting<T> | undefined {
  return value === undefined ? undefined : { value, origin };
}

/** How a message names the setting: `--token`, or `onboarding.token (tbot.yaml line 3)`. */
export function nameOf({ path, label }: Origin): string {
  return path === label ? path : `${path} (${label})`;
}

/** Keeps the message readable, whatever a file contains; `problems` of the error has all of them. */
const MAX_SHOWN = 25;

const HINT = 'Correct the configuration and run again';
const NOTHING_DONE = '; nothing was contacted and nothing was written';
const EXPANDED_HINT =
  'Pass values that are known only in the job with --destination: the orb expands $NAME, ${NAME} and a leading ~/ in its parameters, and nothing else; on a command line, the shell expands "$HOME/creds".';

/** Receives the problems of one value, and what is unusual about it. */
export interface Report {
  readonly refuse: (message: string) => void;
  readonly warn: (message: string) => void;
}

/** Collects the problems of the configuration, and warnings. */
export class Findings {
  readonly warnings: string[] = [];
  readonly #problems: (Problem & { readonly text: string })[] = [];

  get hasProblems(): boolean {
    return this.#problems.length > 0;
  }

  hasProblemAt(path: string): boolean {
    return this.#problems.some((problem) => problem.path === path);
  }

  addProblem(origin: Origin, message: string): void {
    const { path, line } = origin;
    const text = printable(`${originText(origin)}: ${message}`);
    this.#problems.push({ path, ...(line === undefined ? {} : { line }), message: printable(message), text });
  }

  warn(message: string): void {
    this.warnings.push(printable(message));
  }

  warnAt(origin: Origin, message: string): void {
    this.warn(`${originText(origin)}: ${message}`);
  }

  /** For the value of the flag or variable `name`. */
  reportOn(name: string): Report {
    return {
      refuse: (message) => {
        this.addProblem(named(name), message);
      },
      warn: (message) => {
        this.warn(`${name} ${message}`);
      },
    };
  }

  /** @param endsCommand whether the command ends with this error; the hint then adds that nothing was done */
  toError(endsCommand = true): MachineIdError {
    const hint = `${HINT}${endsCommand ? NOTHING_DONE : ''}.`;
    // In the order of the file; missing settings come last.
    this.#problems.sort((one, other) => lineOf(one) - lineOf(other));
    const texts = shorten(this.#problems.map(({ text }) => text));
    const [message = '', ...lines] =
      texts.length === 1 ? texts : [`the configuration has ${this.#problems.length} problems:`, ...texts.map(indented)];
    // A mistyped key is often the reason why another one is missing.
    const noticed = this.warnings.length === 0 ? [] : ['also noticed:', ...shorten(this.warnings).map(indented)];
    return new MachineIdError('CONFIG_INVALID', message, {
      lines: [...lines, ...noticed],
      hint: this.#problems.some((problem) => problem.message.includes(NOT_EXPANDED))
        ? `${hint} ${EXPANDED_HINT}`
        : hint,
      problems: this.#problems.map(({ path, line, message }) => ({
        path,
        ...(line === undefined ? {} : { line }),
        message,
      })),
    });
  }
}

/** The document as a whole has no path to show. */
function originText({ path, label }: Origin): string {
  return path === 'document' || path === label ? label : `${label}: ${path}`;
}

function indented(text: string): string {
  return `  ${text}`;
}

function shorten(texts: readonly string[]): readonly string[] {
  if (texts.length <= MAX_SHOWN) return texts;
  return [...texts.slice(0, MAX_SHOWN), `and ${texts.length - MAX_SHOWN} more`];
}

function lineOf({ line }: Problem): number {
  return line ?? Number.MAX_SAFE_INTEGER;
}
