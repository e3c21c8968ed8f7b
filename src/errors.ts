/** Every failure of the program: one class with a closed set of codes. */

/** The closed set of failure codes; `docs/errors.md` has a heading for each. */
export const ERROR_CODES = [
  // wrong input: exit 2, nothing contacted, nothing written
  'USAGE_INVALID',
  'CONFIG_UNREADABLE',
  'CONFIG_INVALID',
  'OUTPUT_UNSUPPORTED',
  'CA_FILE_INVALID',
  // the job's OIDC token
  'OIDC_TOKEN_MISSING',
  'OIDC_TOKEN_MALFORMED',
  'OIDC_TOKEN_EXPIRED',
  'OIDC_TOKEN_NOT_YET_VALID',
  'OIDC_TOKEN_ISSUER',
  // reaching the cluster
  'PROXY_UNREACHABLE',
  'PROXY_UNTRUSTED',
  'PROXY_NOT_TELEPORT',
  'AUTH_UNREACHABLE',
  'AUTH_UNTRUSTED',
  'AUTH_DENIED',
  'TIMEOUT',
  'REPLY_INVALID',
  'REPLY_TOO_LARGE',
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
  'LEAF_UNKNOWN',
  'RESOURCE_UNKNOWN',
  'CLUSTER_UNSUITABLE',
  'RPC_FAILED',
  'DOCTOR_FAILED',
  'TOKEN_ADMITS_NOT',
  'TBOT_MISSING',
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
  'INTERRUPTED',
  'INTERNAL',
] as const;

export type ErrorCode = (typeof ERROR_CODES)[number];

const WRONG_INPUT: ReadonlySet<ErrorCode> = new Set([
  'USAGE_INVALID',
  'CONFIG_UNREADABLE',
  'CONFIG_INVALID',
  'OUTPUT_UNSUPPORTED',
  'CA_FILE_INVALID',
]);

/** One fault of the input: `path` as in `outputs[0].destination.path`, `line` counted from 1 when the input has lines. */
export interface Fault {
  readonly path: string;
  readonly line?: number;
  readonly message: string;
}

/**
 * A failure with what happened (`message`: expected and got), what to do next (`hint`) and why (`cause`).
 * No secret may stand in any of them. Whoever wrote what is quoted in them, they can be printed as they are.
 */
export class MachineIdError extends Error {
  override readonly name = 'MachineIdError';
  readonly code: ErrorCode;
  readonly hint: string;
  readonly faults: readonly Fault[];
  /** What may have led to it, the likeliest first; none where the message leaves no doubt. */
  readonly likelyCauses: readonly string[];

  constructor(
    code: ErrorCode,
    message: string,
    details: {
      readonly hint: string;
      readonly cause?: unknown;
      readonly faults?: readonly Fault[];
      readonly likelyCauses?: readonly string[];
    },
  ) {
    super(printable(message), details.cause === undefined ? undefined : { cause: details.cause });
    this.code = code;
    this.hint = printable(details.hint);
    this.likelyCauses = (details.likelyCauses ?? []).map(printable);
    this.faults = (details.faults ?? []).map((fault) => ({
      ...fault,
      path: printable(fault.path),
      message: printable(fault.message),
    }));
  }

  /** 2 for wrong input (nothing was contacted or written), 1 for everything else. */
  get exitCode(): 1 | 2 {
    return WRONG_INPUT.has(this.code) ? 2 : 1;
  }
}

/**
 * Without what rewrites a terminal or the order in which a line is read: control characters other than line breaks,
 * Unicode's separators of lines, its overrides of direction.
 */
export function printable(text: string): string {
  // eslint-disable-next-line no-control-regex -- control characters are what must go
  return text.replace(/[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u2028-\u202e\u2066-\u2069]+/g, ' ');
}

/** What ended a command. After an interruption it is that, whatever error the interruption led to. */
export function failureOf(cause: unknown, { aborted, reason }: AbortSignal): MachineIdError {
  return asMachineIdError(aborted ? reason : cause);
}

/** An error of any other kind is a fault of this program. */
export function asMachineIdError(error: unknown): MachineIdError {
  if (error instanceof MachineIdError) return error;
  const message = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
  return new MachineIdError('INTERNAL', `this should not have happened: ${message}`, {
    hint: 'Please report it with the version of this program and the lines above.',
    cause: error,
  });
}
