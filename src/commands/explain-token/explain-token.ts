/** `explain-token`: checks a join token file as Teleport does, and whether its rules allow a job. */
import { resolve } from 'node:path';
import { type Flag, type GivenFlags, parseCommandLine } from '../../cli/flags.ts';
import { fileErrorText } from '../../effects/file-error.ts';
import { readChunks } from '../../effects/streams.ts';
import { styleFor } from '../../effects/terminal.ts';
import type { World } from '../../effects/world.ts';
import { MachineIdError, printableJson } from '../../errors.ts';
import { type ClaimSet, claimsOf, readExampleClaims } from '../../job/example-claims.ts';
import { findOidcToken } from '../../job/oidc-token.ts';
import { formatRule } from '../../join/facts.ts';
import { explainToken, type Explanation } from './explain.ts';
import { CONTEXT_IDS, ORG_ID, PROJECT_ID } from '../../rules/claim-names.ts';
import { type Job, obstaclesFor } from '../../rules/decide.ts';
import { type Claims, claimsIn } from '../../rules/json.ts';
import { lintToken } from '../../rules/lint.ts';
import { type ReadResources, readResources } from '../../rules/read-resources.ts';
import type { Resource } from '../../rules/resource.ts';
import { explanationJson, explanationText } from './text.ts';

export const EXPLAIN_TOKEN_FLAGS: readonly Flag[] = [
  {
    name: 'claims',
    value: 'FILE',
    isPath: true,
    help: "The OIDC token of a job, or its claims as JSON, instead of this job's own token.",
  },
  { name: 'organization-id', value: 'ID', help: 'Organization of the job, instead of the one in its token.' },
  { name: 'project-id', value: 'ID', help: 'Project of the job.' },
  {
    name: 'context-id',
    value: 'ID',
    repeatable: true,
    help: 'A context that the job uses; can be repeated.',
  },
  { name: 'json', help: 'Print the explanation as one JSON object.' },
];

const MAX_INPUT_BYTES = 1024 * 1024;
/** The program at the other end of the pipe may ask a person to log in. */
const STDIN_TIMEOUT_MS = 5 * 60 * 1000;

/** @throws MachineIdError USAGE_INVALID, CONFIG_UNREADABLE, CONFIG_INVALID, OIDC_TOKEN_MALFORMED, TOKEN_REJECTS_JOB */
export async function explainTokenCommand(args: readonly string[], world: World): Promise<void> {
  const { given, operand: path = '' } = parseCommandLine(EXPLAIN_TOKEN_FLAGS, args, 'FILE');
  const name = path === '-' ? 'standard input' : path;
  const { resources, warnings } = await readOrReport(await readInput(path, world), name, given.has('json'), world);
  const job = await findJob(given, world);
  const nowMs = world.clock.nowMs();
  const explained = resources.map((resource) =>
    resource.kind === 'token' && job !== undefined
      ? { resource, explanation: explainToken(resource, job, nowMs) }
      : { resource },
  );
  const findings = resources.flatMap((resource) => (resource.kind === 'token' ? lintToken(resource) : []));
  const report = {
    file: name,
    job,
    explained,
    findings,
    warnings: [...warnings, ...withoutJob(job, resources, nowMs)],
  };
  await (given.has('json')
    ? world.result(`${printableJson(explanationJson(report))}\n`)
    : world.stdout(explanationText(report, styleFor(world.stdoutIsTerminal, world.environment))));
  const explanations = explained.flatMap(({ explanation }) => (explanation === undefined ? [] : [explanation]));
  if (explanations.length === 0 || explanations.some(({ allows }) => allows)) return;
  throw new MachineIdError('TOKEN_REJECTS_JOB', `${name} is valid, but does not allow this job`, {
    hint: hintFor(explanations[0]),
  });
}

function hintFor(explanation: Explanation | undefined): string {
  if (explanation === undefined) return '';
  const { add, obstacles, reason, verdicts } = explanation;
  const rule = add === undefined ? [] : [`Add to spec.circleci.allow: "- ${formatRule(add)}".`];
  const generic = verdicts.length === 0 || obstacles.length > 0 ? [] : [`Change the rule or the job: ${reason}.`];
  return [...obstacles.map((obstacle) => `First: ${obstacle}.`), ...rule, ...generic].join(' ');
}

/** With `--json`, prints the problems to stdout too; the command fails with the same problems on stderr. */
async function readOrReport(text: string, name: string, json: boolean, { result }: World): Promise<ReadResources> {
  try {
    return readResources(text, name);
  } catch (error) {
    if (json && error instanceof MachineIdError) {
      await result(`${printableJson({ file: name, valid: false, problems: error.problems })}\n`);
    }
    throw error;
  }
}

/** Without a job to check, warns about each token that allows no job at all. */
function withoutJob(job: Job | undefined, resources: readonly Resource[], nowMs: number): readonly string[] {
  if (job !== undefined) return [];
  return resources.flatMap((resource) =>
    resource.kind === 'token'
      ? obstaclesFor(resource, nowMs).map((obstacle) => `token "${resource.name}" allows no job: ${obstacle}`)
      : [],
  );
}

async function readInput(path: string, { files, signal, stdin, workingDirectory }: World): Promise<string> {
  try {
    const maxBytes = MAX_INPUT_BYTES;
    if (path !== '-') return await files.readInput(resolve(workingDirectory, path), { maxBytes, signal });
    const limits = { name: 'standard input', maxBytes, timeoutMs: STDIN_TIMEOUT_MS, signal };
    return new TextDecoder('utf-8', { fatal: true }).decode(await readChunks(stdin(), limits));
  } catch (cause) {
    throw new MachineIdError(
      'CONFIG_UNREADABLE',
      `cannot read ${path === '-' ? 'standard input' : path}: ${fileErrorText(cause)}`,
      {
        hint: 'Pass the path of the join token file, or pipe "tctl get token/NAME" into "explain-token -".',
        cause,
      },
    );
  }
}

/** Undefined when there is no job: only the file is checked then. */
async function findJob(given: GivenFlags, world: World): Promise<Job | undefined> {
  const ids = ['organization-id', 'project-id', 'context-id'];
  if (ids.some((name) => given.has(name))) return { source: 'the flags', claims: claimsOfIds(given) };
  const path = given.get('claims')?.[0];
  if (path !== undefined) return { source: path, claims: known(readExampleClaims(await readInput(path, world), path)) };
  return jobOfThisToken(world);
}

/** Without an audience, so that it is not checked. */
function claimsOfIds(given: GivenFlags): Claims {
  const organization = given.get('organization-id')?.[0];
  const project = given.get('project-id')?.[0];
  return {
    ...(organization === undefined
      ? {}
      : { iss: `https://oidc.circleci.com/org/${organization}`, [ORG_ID]: organization }),
    ...(project === undefined ? {} : { [PROJECT_ID]: project }),
    [CONTEXT_IDS]: given.get('context-id') ?? [],
  };
}

async function jobOfThisToken(world: World): Promise<Job | undefined> {
  try {
    const { jwt, source } = await findOidcToken(world);
    return { source, claims: known(claimsOf(jwt.reveal())) };
  } catch (error) {
    if (error instanceof MachineIdError && error.code === 'OIDC_TOKEN_MISSING') return undefined;
    throw error;
  }
}

function known(claims: ClaimSet): Claims {
  return claimsIn(claims) ?? {};
}
