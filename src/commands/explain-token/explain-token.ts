/** `explain-token`: checks join token files as Teleport does, and whether their rules allow a job. */
import { type Flag, type GivenFlags, parseCommandLine, wrongFlags } from '../../cli/flags.ts';
import { styleFor } from '../../effects/terminal.ts';
import type { World } from '../../effects/world.ts';
import { MachineIdError, printableJson, type Problem } from '../../errors.ts';
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
import { lintFiles } from './lint-files.ts';
import { nameOfInput, readTokenFile } from './read-token-file.ts';
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
  { name: 'json', help: 'Print the result as one JSON object.' },
  { name: 'token-file', value: 'FILE', isPath: true, repeatable: true, help: 'The file of a join token, like FILE.' },
  {
    name: 'lint',
    help: 'Check the tokens of one or more files without a job, and fail if there are errors or warnings.',
  },
  { name: 'sarif', value: 'FILE', isPath: true, help: 'File to write the findings of --lint to as SARIF 2.1.0.' },
  {
    name: 'junit',
    value: 'FILE',
    isPath: true,
    help: 'File to write the findings of --lint to as JUnit XML, for `store_test_results`.',
  },
  { name: 'ignore', value: 'RULE', repeatable: true, help: 'A rule that --lint does not report; can be repeated.' },
];

const ONLY_WITH_LINT = ['sarif', 'junit', 'ignore'];
const ONLY_WITHOUT_LINT = ['claims', 'organization-id', 'project-id', 'context-id'];

/** @throws MachineIdError USAGE_INVALID, CONFIG_UNREADABLE, CONFIG_INVALID, OIDC_TOKEN_MALFORMED, TOKEN_REJECTS_JOB, TOKEN_LINT_FAILED */
export async function explainTokenCommand(args: readonly string[], world: World): Promise<void> {
  const { given, operands } = parseCommandLine(EXPLAIN_TOKEN_FLAGS, args, 'FILE');
  const paths = [...operands, ...(given.get('token-file') ?? [])];
  const problems = usageProblems(paths, given);
  if (problems.length > 0) throw wrongFlags(problems);
  if (given.has('lint')) return lintFiles(paths, given, world);
  const [path = ''] = paths;
  return explainFile(path, given, world);
}

function usageProblems(paths: readonly string[], given: GivenFlags): readonly Problem[] {
  const lint = given.has('lint');
  const wrong = (lint ? ONLY_WITHOUT_LINT : ONLY_WITH_LINT).filter((name) => given.has(name));
  const several = {
    path: paths[1] ?? '',
    message: 'only one file can be compared with a job; add --lint to check several',
  };
  return [
    ...(paths.length === 0 ? [{ path: 'FILE', message: 'is missing' }] : []),
    ...(paths.length > 1 && !lint ? [several] : []),
    ...(paths.filter((path) => path === '-').length > 1 ? [{ path: '-', message: 'is given more than once' }] : []),
    ...wrong.map((name) => ({ path: `--${name}`, message: lint ? 'has no effect with --lint' : 'needs --lint' })),
  ];
}

async function explainFile(path: string, given: GivenFlags, world: World): Promise<void> {
  const name = nameOfInput(path);
  const text = await readTokenFile(path, world);
  const { resources, warnings } = await readOrReport(text, name, given.has('json'), world);
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

/** Undefined when there is no job: only the file is checked then. */
async function findJob(given: GivenFlags, world: World): Promise<Job | undefined> {
  const ids = ['organization-id', 'project-id', 'context-id'];
  if (ids.some((name) => given.has(name))) return { source: 'the flags', claims: claimsOfIds(given) };
  const path = given.get('claims')?.[0];
  if (path !== undefined)
    return { source: path, claims: known(readExampleClaims(await readTokenFile(path, world), path)) };
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
