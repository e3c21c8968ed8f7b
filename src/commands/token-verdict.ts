/** What the join token in a file decides about the job, to explain a refusal for which the cluster gives no reason. */
import { resolve } from 'node:path';
import type { Plan } from '../config/plan.ts';
import { fileErrorText } from '../effects/file-error.ts';
import type { World } from '../effects/world.ts';
import { type ErrorCode, MachineIdError } from '../errors.ts';
import type { OidcToken } from '../job/token-request.ts';
import { decide } from '../rules/decide.ts';
import { claimsIn } from '../rules/json.ts';
import { readResources } from '../rules/read-resources.ts';
import type { JoinToken } from '../rules/resource.ts';

/** A join token, and the file that it is from. */
export interface TokenFile {
  readonly name: string;
  readonly token: JoinToken;
}

const MAX_BYTES = 1024 * 1024;

/** @throws MachineIdError CONFIG_UNREADABLE, CONFIG_INVALID */
export async function readTokenFile(
  name: string,
  { token: wanted }: Pick<Plan, 'token'>,
  { files, signal, workingDirectory }: Pick<World, 'files' | 'signal' | 'workingDirectory'>,
): Promise<TokenFile> {
  const { resources } = readResources(await readText(), name);
  const tokens = resources.filter((resource) => resource.kind === 'token');
  const token = tokens.find((one) => one.name === wanted);
  if (token !== undefined) return { name, token };
  const names = tokens.map((one) => JSON.stringify(one.name)).join(', ');
  throw new MachineIdError(
    'CONFIG_INVALID',
    `${name}, which --token-file names, has no join token "${wanted}", but ${names || 'none'}`,
    { hint: 'Name the file with the join token of this job, as for "tctl create -f". Nothing was contacted.' },
  );

  async function readText(): Promise<string> {
    try {
      return await files.readInput(resolve(workingDirectory, name), { maxBytes: MAX_BYTES, signal });
    } catch (cause) {
      throw new MachineIdError(
        'CONFIG_UNREADABLE',
        `cannot read ${name}, which --token-file names: ${fileErrorText(cause)}`,
        { hint: 'Check the path; the files of the repository exist only after "checkout".', cause },
      );
    }
  }
}

const UNEXPLAINED: readonly ErrorCode[] = ['JOIN_GENERIC_OIDC_REFUSED', 'JOIN_CLAIMS_REFUSED', 'JOIN_OIDC_REFUSED'];

/** The error with the verdict as its most likely cause, if it is a refusal of the job. */
export function withVerdict(
  error: MachineIdError,
  file: TokenFile | undefined,
  { claims, source }: OidcToken,
  nowMs: number,
): MachineIdError {
  if (file === undefined || !UNEXPLAINED.includes(error.code)) return error;
  const decision = decide(file.token, { source, claims: claimsIn(claims.payload) ?? {} }, nowMs);
  const rules = decision.rules.flatMap(({ checks, line, outcome, path }) =>
    outcome === 'matches'
      ? []
      : checks.flatMap((check) =>
          check.outcome === 'matches' ? [] : [`${place(file, line)}: ${path} needs ${check.expected}; ${check.actual}`],
        ),
  );
  return error.withLikelyCauses([...verdictOf(file, decision), ...rules, ...error.likelyCauses]);
}

function verdictOf(file: TokenFile, { outcome, reason }: ReturnType<typeof decide>): readonly string[] {
  const where = place(file, file.token.line);
  switch (outcome) {
    case 'rejected':
      return [`${where}: this join token rejects the job: ${reason}`];
    case 'admitted':
      return [
        `${where}: this join token admits the job (${reason}), so the one in the cluster differs, or the Auth Service cannot verify the OIDC token`,
      ];
    case 'unknown':
      return [`${where}: this program cannot decide about the job: ${reason}`];
    default:
      return outcome satisfies never;
  }
}

function place({ name }: TokenFile, line: number | undefined): string {
  return line === undefined ? name : `${name} line ${line}`;
}
