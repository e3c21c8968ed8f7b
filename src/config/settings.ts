/** Settings as one source gives them, before the sources are put together. */
import { MachineIdError, printable, type Problem } from '../errors.ts';
import type { Destination } from '../schema/destination.ts';
import { NOT_EXPANDED } from '../schema/unexpanded.ts';
import type { PlacedItem } from './items.ts';

/** Where a setting was given. */
export interface Origin {
  /** `onboarding.token`, `--token` or `TELEPORT_BOT_TOKEN`. */
  readonly path: string;
  readonly line: number | undefined;
  /** For people: `tbot.yaml line 3`, or the flag or variable itself. */
  readonly label: string;
}

export interface Setting<T> {
  readonly value: T;
  readonly origin: Origin;
}

/** What is `undefined` was not given. */
export interface Settings {
  readonly proxyServer?: Setting<string> | undefined;
  readonly authServer?: Setting<string> | undefined;
  readonly useProxyAddr?: Setting<boolean> | undefined;
  readonly token?: Setting<string> | undefined;
  readonly joinMethod?: Setting<string> | undefined;
  readonly caPins?: Setting<readonly string[]> | undefined;
  readonly caPath?: Setting<string> | undefined;
  readonly insecure?: Setting<boolean> | undefined;
  readonly fips?: Setting<boolean> | undefined;
  readonly scoped?: Setting<boolean> | undefined;
  readonly storage?: Setting<Destination> | undefined;
  readonly items?: Setting<readonly PlacedItem[]> | undefined;
  readonly ttlMs?: Setting<number> | undefined;
  readonly renewalIntervalMs?: Setting<number> | undefined;
  readonly leewayMs?: Setting<number> | undefined;
  readonly oneshot?: Setting<boolean> | undefined;
  readonly debug?: Setting<boolean> | undefined;
  readonly logFormat?: Setting<'text' | 'json'> | undefined;
  readonly diagAddr?: Setting<string> | undefined;
}

/** The origin of a flag or an environment variable. */
export function named(name: string): Origin {
  return { path: name, line: undefined, label: name };
}

/** `value` as given at `origin`; nothing when there is no value. */
export function setting<T>(value: T | undefined, origin: Origin): Setting<T> | undefined {
  return value === undefined ? undefined : { value, origin };
}

/** How a message names the setting: `--token`, or `onboarding.token (tbot.yaml line 3)`. */
export function nameOf({ path, label }: Origin): string {
  return path === label ? path : `${path} (${label})`;
}

// Collects everything that is wrong or odd about the configuration, to be told at once.

/** A message stays readable whatever a file holds; `problems` of the error has all of them. */
const MAX_SHOWN = 25;

const HINT = 'Correct the configuration and run again; nothing was contacted and nothing was written.';
const EXPANDED_HINT =
  'What only the job knows belongs in --destination: the orb expands $NAME, ${NAME} and a leading ~/ in its parameters, and nothing else; on a command line, the shell expands "$HOME/creds".';

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

  toError(): MachineIdError {
    // In the order of the file, and what is missing altogether last.
    this.#problems.sort((one, other) => lineOf(one) - lineOf(other));
    const texts = shorten(this.#problems.map(({ text }) => text));
    const [message = '', ...lines] =
      texts.length === 1 ? texts : [`the configuration has ${this.#problems.length} problems:`, ...texts.map(indented)];
    // A mistyped key is often why something else is missing.
    const noticed = this.warnings.length === 0 ? [] : ['also noticed:', ...shorten(this.warnings).map(indented)];
    return new MachineIdError('CONFIG_INVALID', message, {
      lines: [...lines, ...noticed],
      hint: this.#problems.some((problem) => problem.message.includes(NOT_EXPANDED))
        ? `${HINT} ${EXPANDED_HINT}`
        : HINT,
      problems: this.#problems.map(({ path, line, message }) => ({
        path,
        ...(line === undefined ? {} : { line }),
        message,
      })),
    });
  }
}

/** The document as a whole has no path worth showing. */
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
