/** Every failure of the program: one class with a closed set of codes. */

/** The closed set of failure codes; `docs/errors.md` has a heading for each. */
export const ERROR_CODES = [
  // wrong input: exit 2, nothing contacted, nothing written
  'USAGE_INVALID',
  'CONFIG_UNREADABLE',
  'CONFIG_INVALID',
  'OUTPUT_UNSUPPORTED',
  'SCOPES_UNSUPPORTED',
  'CA_FILE_INVALID',
  // the job's OIDC token
  'OIDC_TOKEN_MISSING',
  'OIDC_TOKEN_MALFORMED',
  'OIDC_TOKEN_EXPIRED',
  'OIDC_TOKEN_NOT_YET_VALID',
  'OIDC_TOKEN_ISSUER_MISMATCH',
  'OIDC_TOKEN_AUDIENCE_MISMATCH',
  // reaching the cluster
  'PROXY_UNREACHABLE',
  'PROXY_UNTRUSTED',
  'PROXY_NOT_TELEPORT',
  'AUTH_UNREACHABLE',
  'AUTH_UNTRUSTED',
  'AUTH_DENIED',
  'TIMEOUT',
  'RESPONSE_INVALID',
  'RESPONSE_TOO_LARGE',
  // the join
  'JOIN_TOKEN_UNKNOWN',
  'JOIN_METHOD_MISMATCH',
  'JOIN_CLAIMS_REFUSED',
  'JOIN_OIDC_REFUSED',
  'JOIN_DENIED',
  'JOIN_FAILED',
  // certificates
  'CERTIFICATE_MISMATCH',
  'ROLE_DENIED',
  'LEAF_CLUSTER_UNKNOWN',
  'RESOURCE_UNKNOWN',
  'CLUSTER_UNSUPPORTED',
  'RPC_FAILED',
  'DOCTOR_FAILED',
  'TOKEN_REJECTS_JOB',
  'TBOT_MISSING',
  'TBOT_INCOMPATIBLE',
  'TBOT_FAILED',
  'AWS_UNREACHABLE',
  'AWS_REFUSED',
  // reaching nodes
  'IDENTITY_UNREADABLE',
  'NODE_UNREACHABLE',
  // Teleport's own programs
  'TOOLS_UNREACHABLE',
  'TOOLS_UNAVAILABLE',
  'TOOLS_CORRUPT',
  // what is written
  'DESTINATION_UNSAFE',
  'DESTINATION_UNWRITABLE',
  'BASH_ENV_UNWRITABLE',
  'CLEANUP_FAILED',
  // the run as a whole
  'OUTPUTS_FAILED',
  'STDOUT_UNWRITABLE',
  'INTERRUPTED',
  'INTERNAL',
  'UNCAUGHT',
] as const;

export type ErrorCode = (typeof ERROR_CODES)[number];

const INPUT_ERROR_CODES: ReadonlySet<ErrorCode> = new Set([
  'USAGE_INVALID',
  'CONFIG_UNREADABLE',
  'CONFIG_INVALID',
  'OUTPUT_UNSUPPORTED',
  'SCOPES_UNSUPPORTED',
  'CA_FILE_INVALID',
]);

/** One problem of the input: `path` as in `outputs[0].destination.path`, `line` counted from 1 when the input has lines. */
export interface Problem {
  readonly path: string;
  readonly line?: number;
  readonly message: string;
  /** What to do about this problem alone; undefined where the hint of the failure says it. */
  readonly hint?: string;
}

/** An end of a connection. */
export interface HostPort {
  /** A name or an address, without brackets. */
  readonly host: string;
  readonly port: number;
}

/** Set on a failure that may pass: the same attempt may succeed later. */
export interface Transient {
  /** How long the server asks to wait before the next attempt. */
  readonly afterMs?: number | undefined;
}

/**
 * A failure with what happened (`message`: expected and got), what to do next (`hint`) and why (`cause`).
 * None of them may hold a secret. What they quote is made printable: only `lines` make line breaks.
 */
export class MachineIdError extends Error {
  override readonly name = 'MachineIdError';
  readonly code: ErrorCode;
  readonly hint: string;
  readonly problems: readonly Problem[];
  /** What may have caused it, most likely first; empty where the message leaves no doubt. */
  readonly likelyCauses: readonly string[];
  /** Undefined for a failure that is final. */
  readonly transient: Transient | undefined;
  /** Where no connection could be opened to, or stayed open; undefined for other failures. */
  readonly unreached: HostPort | undefined;

  constructor(
    code: ErrorCode,
    message: string,
    details: {
      readonly hint: string;
      /** Further lines of the message. */
      readonly lines?: readonly string[];
      readonly cause?: unknown;
      readonly problems?: readonly Problem[];
      readonly likelyCauses?: readonly string[];
      readonly transient?: Transient | undefined;
      readonly unreached?: HostPort | undefined;
    },
  ) {
    super(
      [message, ...(details.lines ?? [])].map(printable).join('\n'),
      details.cause === undefined ? undefined : { cause: details.cause },
    );
    this.code = code;
    this.hint = printable(details.hint);
    this.likelyCauses = (details.likelyCauses ?? []).map(printable);
    this.transient = details.transient;
    this.unreached = details.unreached;
    this.problems = (details.problems ?? []).map((problem) => ({
      ...problem,
      path: printable(problem.path),
      message: printable(problem.message),
      ...(problem.hint === undefined ? {} : { hint: printable(problem.hint) }),
    }));
  }

  /** The same failure with a note behind its message, and with another answer to whether it may pass. */
  with({ note, transient }: { readonly note?: string; readonly transient: Transient | undefined }): MachineIdError {
    return this.#changed({ transient }, note === undefined ? '' : `; ${note}`);
  }

  /** The same failure with these likely causes. */
  withLikelyCauses(likelyCauses: readonly string[]): MachineIdError {
    return this.#changed({ likelyCauses, transient: this.transient });
  }

  #changed(
    change: { readonly transient: Transient | undefined; readonly likelyCauses?: readonly string[] },
    addition = '',
  ): MachineIdError {
    const { cause, problems, hint, likelyCauses, unreached } = this;
    const [first = '', ...lines] = `${this.message}${addition}`.split('\n');
    return new MachineIdError(this.code, first, { lines, hint, cause, problems, likelyCauses, unreached, ...change });
  }

  /** 2 for wrong input (nothing was contacted or written), 1 for everything else. */
  get exitCode(): 1 | 2 {
    return INPUT_ERROR_CODES.has(this.code) ? 2 : 1;
  }
}

/**
 * Text of others as a part of one line. Spaces replace line breaks, control characters, marks of direction and characters
 * without a width, so that it can neither forge another line nor look like another name. Selectors of how an emoji looks
 * stay.
 */
export function printable(text: string): string {
  return text.replace(UNPRINTABLE, ' ');
}

const UNPRINTABLE = /(?:(?![\ufe0e\ufe0f])[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}])+/gu;

/** `1 file`, `2 files`. */
export function pluralize(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`;
}

/** `outputs[0] (line 3)`. */
export function locationText({ line, path }: { readonly path: string; readonly line?: number | undefined }): string {
  return line === undefined ? path : `${path} (line ${line})`;
}

/** JSON on one line that says the same, in which such characters are escaped. */
export function printableJson(value: unknown): string {
  return JSON.stringify(value).replace(UNPRINTABLE, (found) =>
    Array.from({ length: found.length }, (_, at) => `\\u${found.charCodeAt(at).toString(16).padStart(4, '0')}`).join(
      '',
    ),
  );
}

/** What ended a command. After an interruption it is that, whatever error the interruption led to. */
export function failureOf(cause: unknown, { aborted, reason }: AbortSignal): MachineIdError {
  return asMachineIdError(aborted ? reason : cause);
}

/** What a person is asked to do with a problem of this program. */
const REPORT_IT = 'Please report it with the version of this program, the lines above, and those that --debug adds.';

/** An error that nothing has handled, and after which the process ends at once. */
export function uncaughtError(cause: unknown): MachineIdError {
  return new MachineIdError('UNCAUGHT', `the program ended in an error that nothing has handled: ${textOf(cause)}`, {
    hint: `Outputs may be missing or old. ${REPORT_IT}`,
    cause,
  });
}

function textOf(error: unknown): string {
  return error instanceof Error ? `${error.name}: ${error.message}` : String(error);
}

/** An error of any other kind is a problem of this program. */
export function asMachineIdError(error: unknown): MachineIdError {
  if (error instanceof MachineIdError) return error;
  return new MachineIdError('INTERNAL', `this should not have happened: ${textOf(error)}`, {
    hint: REPORT_IT,
    cause: error,
  });
}
