/** The one error class and its closed set of codes. */

/** The closed set of failure codes; `docs/errors.md` has a heading for each. */
export const ERROR_CODES = [
  // invalid input: exit code 2, nothing contacted, nothing written
  'USAGE_INVALID',
  'CONFIG_UNREADABLE',
  'CONFIG_INVALID',
  'OUTPUT_UNSUPPORTED',
  'SCOPES_UNSUPPORTED',
  'CA_FILE_INVALID',
  'EGRESS_PROXY_INVALID',
  // the job's OIDC token
  'OIDC_TOKEN_MISSING',
  'OIDC_TOKEN_MALFORMED',
  'OIDC_TOKEN_EXPIRED',
  'OIDC_TOKEN_NOT_YET_VALID',
  'OIDC_TOKEN_ISSUER_MISMATCH',
  'OIDC_TOKEN_AUDIENCE_MISMATCH',
  'GUARD_REFUSED',
  // reaching the cluster
  'EGRESS_PROXY_FAILED',
  'PROXY_UNREACHABLE',
  'PROXY_UNTRUSTED',
  'PROXY_NOT_TELEPORT',
  'UPGRADE_REFUSED',
  'AUTH_UNREACHABLE',
  'AUTH_UNTRUSTED',
  'CA_PIN_MISSING',
  'CA_PIN_MISMATCH',
  'AUTH_DENIED',
  'TIMEOUT',
  'RESPONSE_INVALID',
  'RESPONSE_TOO_LARGE',
  // the join
  'JOIN_TOKEN_UNKNOWN',
  'JOIN_METHOD_MISMATCH',
  'JOIN_CLAIMS_REFUSED',
  'JOIN_OIDC_REFUSED',
  'JOIN_GENERIC_OIDC_REFUSED',
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
  'TOKEN_LINT_FAILED',
  'SETUP_DRIFT',
  'TBOT_MISSING',
  'TBOT_INCOMPATIBLE',
  'TBOT_FAILED',
  'AWS_UNREACHABLE',
  'AWS_REFUSED',
  // reaching nodes
  'IDENTITY_UNREADABLE',
  'NODE_UNREACHABLE',
  // tunnels
  'LISTEN_FAILED',
  'REQUEST_REFUSED',
  'TUNNEL_FAILED',
  'TUNNEL_NOT_READY',
  'TUNNEL_UNAVAILABLE',
  // Teleport's own programs
  'TOOLS_UNREACHABLE',
  'TOOLS_UNAVAILABLE',
  'TOOLS_CORRUPT',
  // what is written
  'DESTINATION_UNSAFE',
  'DESTINATION_UNWRITABLE',
  'BASH_ENV_UNWRITABLE',
  'CLEANUP_FAILED',
  'BACKGROUND_NOT_STARTED',
  'COMMAND_NOT_STARTED',
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
  'EGRESS_PROXY_INVALID',
]);

/** One problem of the input: `path` as in `outputs[0].destination.path`, `line` counted from 1 if the input has lines. */
export interface Problem {
  readonly path: string;
  readonly line?: number;
  readonly message: string;
  /** What to do about this problem; undefined if the hint of the error covers it. */
  readonly hint?: string;
}

/** One end of a connection. */
export interface HostPort {
  /** A name or an address, without brackets. */
  readonly host: string;
  readonly port: number;
  /** Set if it is not a server of the cluster. */
  readonly for?: 'https';
  /** Set if another connection to the same place was opened before. */
  readonly isReachable?: true;
}

/** Set on a transient failure: the same attempt may succeed later. */
export interface Transient {
  /** How long the server asks us to wait before the next attempt. */
  readonly afterMs?: number | undefined;
}

/**
 * An error with what happened (`message`: expected and got), what to do (`hint`) and why (`cause`). None of them may contain
 * a secret. Quoted text is made printable: only `lines` add newlines.
 */
export class MachineIdError extends Error {
  override readonly name = 'MachineIdError';
  readonly code: ErrorCode;
  readonly hint: string;
  readonly problems: readonly Problem[];
  /** Likely causes, most likely first; empty if the message leaves no doubt. */
  readonly likelyCauses: readonly string[];
  /** Undefined for a final failure. */
  readonly transient: Transient | undefined;
  /** The address of the connection that failed; undefined for other failures. */
  readonly unreached: HostPort | undefined;

  constructor(
    code: ErrorCode,
    message: string,
    details: {
      readonly hint: string;
      /** More lines of the message. */
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

  /** Returns a copy with a note after the message, and with `transient` replaced. */
  with({ note, transient }: { readonly note?: string; readonly transient: Transient | undefined }): MachineIdError {
    return this.#copy({ transient }, note === undefined ? '' : `; ${note}`);
  }

  /** Returns a copy with these likely causes. */
  withLikelyCauses(likelyCauses: readonly string[]): MachineIdError {
    return this.#copy({ likelyCauses, transient: this.transient });
  }

  #copy(
    change: { readonly transient: Transient | undefined; readonly likelyCauses?: readonly string[] },
    addition = '',
  ): MachineIdError {
    const { cause, problems, hint, likelyCauses, unreached } = this;
    const [first = '', ...lines] = `${this.message}${addition}`.split('\n');
    return new MachineIdError(this.code, first, { lines, hint, cause, problems, likelyCauses, unreached, ...change });
  }

  /** 2 for invalid input (nothing was contacted or written), 1 for everything else. */
  get exitCode(): 1 | 2 {
    return INPUT_ERROR_CODES.has(this.code) ? 2 : 1;
  }
}

/**
 * Makes untrusted text safe to print within a line. Spaces replace newlines, control characters, direction marks and
 * zero-width characters, so that the text can neither forge another line nor look like another name. Emoji variation
 * selectors stay.
 */
export function printable(text: string): string {
  return PRINTABLE_ASCII.test(text) ? text : text.replace(unprintable(), ' ');
}

const PRINTABLE_ASCII = /^[ -~]*$/;

let unprintablePattern: RegExp | undefined;

/** Not a literal: Node would read the tables of Unicode for it when it compiles this file, which takes a millisecond. */
function unprintable(): RegExp {
  unprintablePattern ??= new RegExp(
    String.raw`(?:(?![\ufe0e\ufe0f])[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}])+`,
    'gu',
  );
  return unprintablePattern;
}

/** Whether the text has characters of the class Cc of Unicode, such as a newline. */
export function hasControlCharacters(text: string): boolean {
  // eslint-disable-next-line no-control-regex -- \p{Cc} would make Node read the tables of Unicode
  return /[\u0000-\u001f\u007f-\u009f]/.test(text);
}

/** `1 file`, `2 files`. */
export function pluralize(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`;
}

/** `outputs[0] (line 3)`. */
export function locationText({ line, path }: { readonly path: string; readonly line?: number | undefined }): string {
  return line === undefined ? path : `${path} (line ${line})`;
}

/** JSON on one line, with the characters that `printable` replaces escaped. */
export function printableJson(value: unknown): string {
  const json = JSON.stringify(value);
  if (PRINTABLE_ASCII.test(json)) return json;
  return json.replace(unprintable(), (found) =>
    Array.from({ length: found.length }, (_, at) => `\\u${found.charCodeAt(at).toString(16).padStart(4, '0')}`).join(
      '',
    ),
  );
}

/** The error that ended a command. After an interruption, that is the interruption, whatever error it led to. */
export function failureOf(cause: unknown, { aborted, reason }: AbortSignal): MachineIdError {
  return asMachineIdError(aborted ? reason : cause);
}

const REPORT_IT = 'Report it with the version of this program, the output above, and the output with --debug.';

/** For an unhandled error, after which the process ends at once. */
export function uncaughtError(cause: unknown): MachineIdError {
  return new MachineIdError('UNCAUGHT', `unhandled error: ${textOf(cause)}`, {
    hint: `Outputs may be missing or outdated. ${REPORT_IT}`,
    cause,
  });
}

function textOf(error: unknown): string {
  return error instanceof Error ? `${error.name}: ${error.message}` : String(error);
}

/** Any other kind of error is a bug in this program. */
export function asMachineIdError(error: unknown): MachineIdError {
  if (error instanceof MachineIdError) return error;
  return new MachineIdError('INTERNAL', `internal error: ${textOf(error)}`, {
    hint: REPORT_IT,
    cause: error,
  });
}
