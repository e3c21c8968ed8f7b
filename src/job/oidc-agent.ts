/** Requests an OIDC token from CircleCI's agent, which prints one for any audience, any number of times. */
import type { Clock } from '../effects/time.ts';
import type { CommandResult, Commands } from '../effects/programs.ts';
import { pause, RETRY_POLICY } from '../effects/retry.ts';
import type { Mask } from '../effects/secret.ts';
import { asMachineIdError, printable } from '../errors.ts';
import { decodeClaims, type OidcClaims } from './oidc-claims.ts';

export interface AgentRequest {
  readonly audience: string;
  /** Whether a token with these claims is what was asked for. */
  readonly accepts: (claims: OidcClaims) => boolean;
  readonly commands: Commands;
  readonly clock: Pick<Clock, 'sleep'>;
  readonly mask: Pick<Mask, 'hide'>;
  /** Cancels the wait. */
  readonly signal?: AbortSignal | undefined;
}

export interface AgentToken {
  readonly value: string;
  /** The command line without the claims. */
  readonly source: string;
  readonly claims: OidcClaims;
}

export interface AgentResponse {
  readonly token: AgentToken | undefined;
  /** One line for each program that printed no token; without secrets. */
  readonly refusals: readonly string[];
}

/** `circleci-agent` first: in a job image, `circleci` may be the public CLI, which has no such command. */
const PROGRAMS = ['circleci-agent', 'circleci'];
const MAX_BYTES = 64 * 1024;

/** Does not retry a program that is missing or timed out. */
export async function askAgent(request: AgentRequest): Promise<AgentResponse> {
  const refusals = new Map<string, string>();
  let candidates: readonly string[] = PROGRAMS;
  for (let tries = 1; tries <= RETRY_POLICY.agentTries && candidates.length > 0; tries += 1) {
    if (tries > 1) await pause(RETRY_POLICY.agentPauseMs, request.clock, request.signal);
    const retryable: string[] = [];
    for (const program of candidates) {
      const { exitCode, missing, stderr, stdout } = await run(program, request);
      const token = exitCode === 0 ? readToken(stdout, sourceOf(program), request) : undefined;
      if (token !== undefined && typeof token !== 'string') return { token, refusals: [] };
      if (exitCode !== undefined) retryable.push(program);
      const reason = token ?? (missing === true ? 'is not on PATH' : refusalOf(exitCode, stderr));
      refusals.set(program, `${missing === true ? program : sourceOf(program)} ${reason}${attemptsText(tries)}`);
    }
    candidates = retryable;
  }
  return { token: undefined, refusals: [...refusals.values()] };
}

function sourceOf(program: string): string {
  return `${program} run oidc get`;
}

function attemptsText(tries: number): string {
  return tries === 1 ? '' : ` (${tries} tries)`;
}

async function run(program: string, { audience, commands, signal }: AgentRequest): Promise<CommandResult> {
  const args = ['run', 'oidc', 'get', '--claims', JSON.stringify({ aud: audience })];
  const limits = { timeoutMs: RETRY_POLICY.agentTimeoutMs, maxBytes: MAX_BYTES };
  const result = await commands.run(program, args, signal === undefined ? limits : { ...limits, signal });
  signal?.throwIfAborted();
  return result;
}

/** Other output may surround the token. Returns a string if there is a problem. */
function readToken(stdout: string, source: string, { accepts, audience, mask }: AgentRequest): AgentToken | string {
  const value = stdout
    .split('\n')
    .map((line) => line.trim())
    .findLast((line) => /^[\w-]+\.[\w-]+\.[\w-]+$/.test(line));
  if (value === undefined) return 'printed no token';
  mask.hide(value);
  try {
    const claims = decodeClaims(value, source);
    return accepts(claims) ? { value, source, claims } : `printed a token for another audience, expected ${audience}`;
  } catch (error) {
    return `printed an invalid token: ${asMachineIdError(error).message}`;
  }
}

function refusalOf(exitCode: number | undefined, stderr: string): string {
  const text = withoutTokens(stderr);
  const how =
    exitCode === undefined
      ? `did not exit within ${RETRY_POLICY.agentTimeoutMs / 1000} s, or printed more than ${MAX_BYTES / 1024} KiB`
      : `failed with exit code ${exitCode}`;
  return text === '' ? `${how} and printed nothing to stderr` : `${how}: ${text}`;
}

const MAX_CHARS = 300;
const MAX_LINES = 3;
const MASKED = '[masked]';
const UUID = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

/** Another program's output as one short line, without anything that looks like a token or password. */
export function withoutTokens(text: string): string {
  const lines = text
    .slice(0, MAX_BYTES)
    // Removed, not replaced, so that a token split by them is joined again and recognized.
    // eslint-disable-next-line no-control-regex -- escape sequences of terminals
    .replace(/\u001b(?:\[[0-9;?]*[ -/]*[@-~]|\][^\u0007\u001b]*(?:\u0007|\u001b\\)?)/g, '')
    .replace(new RegExp(String.raw`(?![\n\t])[\p{Cc}\p{Cf}\p{Default_Ignorable_Code_Point}]`, 'gu'), '')
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '')
    .slice(0, MAX_LINES);
  const shown = printable(maskTokens(lines.join('; ')));
  return shown.length <= MAX_CHARS ? shown : `${shown.slice(0, MAX_CHARS)}...`;
}

function maskTokens(text: string): string {
  return (
    text
      // A JWT starts with a base64url-encoded object; the rest may be cut off.
      .replace(/ey[AIJ][\w-]{5,}(?:\.[\w-]*)*/g, MASKED)
      .replace(/[\w-]{10,}\.[\w-]{10,}\.[\w-]{10,}/g, MASKED)
      // The rest of a token that was printed on several lines.
      .replace(/\[masked\](?:; [\w.-]+(?=;|$))+/g, MASKED)
      .replace(/(:\/\/)[^\s/]*@/g, `$1${MASKED}@`)
      .replace(
        /\b(bearer +|(?:token|password|secret|key|authorization)["']?\s*[:=]\s*["']?)(?!\[masked\])[^\s"',;]{8,}/gi,
        `$1${MASKED}`,
      )
      .replace(/[\w+=-]{32,}/g, (found) => (UUID.test(found) ? found : MASKED))
  );
}
