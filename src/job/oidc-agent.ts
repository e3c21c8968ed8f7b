/** Asks CircleCI's agent for a token. It prints one for any audience, as often as it is asked. */
import type { Clock } from '../effects/time.ts';
import type { CommandResult, Commands } from '../effects/programs.ts';
import { pause, RETRY_POLICY } from '../effects/retry.ts';
import type { Mask } from '../effects/secret.ts';
import { asMachineIdError, printable } from '../errors.ts';
import { audienceFit, decodeClaims, type OidcClaims, organizationOf } from './oidc-claims.ts';

export interface AgentRequest {
  /** The organization's id. */
  readonly audience: string;
  readonly commands: Commands;
  readonly clock: Pick<Clock, 'sleep'>;
  readonly mask: Pick<Mask, 'hide'>;
  /** Ends the wait. */
  readonly signal?: AbortSignal | undefined;
}

export interface AgentToken {
  readonly value: string;
  /** The command line without its claims. */
  readonly source: string;
  readonly claims: OidcClaims;
}

export interface AgentResponse {
  readonly token: AgentToken | undefined;
  /** One line for each program that gave no token; without secrets. */
  readonly refusals: readonly string[];
}

/** `circleci-agent` first: a job image may carry the public CLI under the name `circleci`, which has no such command. */
const PROGRAMS = ['circleci-agent', 'circleci'];
const MAX_BYTES = 64 * 1024;

/** A program that is missing, or did not end in time, is not asked again. */
export async function askAgent(question: AgentRequest): Promise<AgentResponse> {
  const refusals = new Map<string, string>();
  let worthAsking: readonly string[] = PROGRAMS;
  for (let tries = 1; tries <= RETRY_POLICY.agentTries && worthAsking.length > 0; tries += 1) {
    if (tries > 1) await pause(RETRY_POLICY.agentPauseMs, question.clock, question.signal);
    const again: string[] = [];
    for (const program of worthAsking) {
      const { exitCode, missing, stderr, stdout } = await ask(program, question);
      const answer = exitCode === 0 ? readToken(stdout, sourceOf(program), question) : undefined;
      if (answer !== undefined && typeof answer !== 'string') return { token: answer, refusals: [] };
      if (exitCode !== undefined) again.push(program);
      const said = answer ?? (missing === true ? 'is not on PATH' : refusalOf(exitCode, stderr));
      refusals.set(program, `${missing === true ? program : sourceOf(program)} ${said}${attemptsText(tries)}`);
    }
    worthAsking = again;
  }
  return { token: undefined, refusals: [...refusals.values()] };
}

function sourceOf(program: string): string {
  return `${program} run oidc get`;
}

function attemptsText(tries: number): string {
  return tries === 1 ? '' : ` (${tries} tries)`;
}

async function ask(program: string, { audience, commands, signal }: AgentRequest): Promise<CommandResult> {
  const args = ['run', 'oidc', 'get', '--claims', JSON.stringify({ aud: audience })];
  const limits = { timeoutMs: RETRY_POLICY.agentTimeoutMs, maxBytes: MAX_BYTES };
  const result = await commands.run(program, args, signal === undefined ? limits : { ...limits, signal });
  signal?.throwIfAborted();
  return result;
}

/** Notices may surround the token. A text is what is wrong with the answer. */
function readToken(stdout: string, source: string, { audience, mask }: AgentRequest): AgentToken | string {
  const value = stdout
    .split('\n')
    .map((line) => line.trim())
    .findLast((line) => /^[\w-]+\.[\w-]+\.[\w-]+$/.test(line));
  if (value === undefined) return 'printed no token';
  mask.hide(value);
  try {
    const claims = decodeClaims(value, source);
    // Tokens of other issuers are refused with a reason of their own.
    const isWrong = organizationOf(claims.issuer) !== undefined && audienceFit(claims, audience) === 'wrong';
    return isWrong ? `gave a token for another audience than ${audience}` : { value, source, claims };
  } catch (error) {
    return `printed something else: ${asMachineIdError(error).message}`;
  }
}

function refusalOf(exitCode: number | undefined, stderr: string): string {
  const said = withoutTokens(stderr);
  const how =
    exitCode === undefined
      ? `did not end within ${RETRY_POLICY.agentTimeoutMs / 1000} s, or printed more than ${MAX_BYTES / 1024} KiB`
      : `failed with exit code ${exitCode}`;
  return said === '' ? `${how} and said nothing on stderr` : `${how}: ${said}`;
}

const MAX_CHARS = 300;
const MAX_LINES = 3;
const MASKED = '[masked]';
const UUID = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

/** What another program has printed, on one short line, without anything that looks like a token or a password. */
export function withoutTokens(text: string): string {
  const lines = text
    .slice(0, MAX_BYTES)
    // Removed rather than replaced: what they split comes together again, and is recognized.
    // eslint-disable-next-line no-control-regex -- escape sequences of terminals
    .replace(/\u001b(?:\[[0-9;?]*[ -/]*[@-~]|\][^\u0007\u001b]*(?:\u0007|\u001b\\)?)/g, '')
    .replace(/(?![\n\t])[\p{Cc}\p{Cf}\p{Default_Ignorable_Code_Point}]/gu, '')
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
      // A JWT begins with an object in base64url; what follows may be cut off.
      .replace(/ey[AIJ][\w-]{5,}(?:\.[\w-]*)*/g, MASKED)
      .replace(/[\w-]{10,}\.[\w-]{10,}\.[\w-]{10,}/g, MASKED)
      // The rest of one that was printed on several lines.
      .replace(/\[masked\](?:; [\w.-]+(?=;|$))+/g, MASKED)
      .replace(/(:\/\/)[^\s/]*@/g, `$1${MASKED}@`)
      .replace(
        /\b(bearer +|(?:token|password|secret|key|authorization)["']?\s*[:=]\s*["']?)(?!\[masked\])[^\s"',;]{8,}/gi,
        `$1${MASKED}`,
      )
      .replace(/[\w+=-]{32,}/g, (found) => (UUID.test(found) ? found : MASKED))
  );
}
