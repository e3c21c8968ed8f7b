/** Collects what `init` needs: from flags, from the job, and from a person at the terminal. */
import { basename } from 'node:path';
import type { Prompt } from '../../effects/prompt.ts';
import type { World } from '../../effects/world.ts';
import { printable } from '../../errors.ts';
import { findJobIds, type JobIds } from '../../job/job-ids.ts';
import type { FieldName } from './fields.ts';
import type { InitArguments } from './flags.ts';
import { DEFAULT_DIRECTORY, directoryProblems } from './directory.ts';
import { interview, type Prompter } from './interview.ts';
import { setupFileNames } from './render.ts';
import { type Answer, type Answers, methodOf } from './setup.ts';

interface Collected {
  readonly answers: Answers;
  /** The directory to write to. */
  readonly directory: string;
  /** Messages for the user. */
  readonly notices: readonly string[];
}

/** Asks questions if there is a terminal; otherwise uses defaults. */
export async function collectAnswers(given: InitArguments, world: World): Promise<Collected> {
  const job = await idsOfJob(given.answers, world);
  const notices = job?.warnings ?? [];
  const answers = { ...given.answers, contexts: ambiguousContexts(given.answers, job) };
  const presets = presetsFrom(answers, job, world);
  const prompt = given.yes || given.problems.length > 0 ? undefined : await world.openPrompt();
  const directory = given.directory ?? DEFAULT_DIRECTORY;
  if (prompt === undefined) return { answers: withPresets(answers, presets), directory, notices };
  try {
    const prompter = terminalPrompter(prompt, world);
    prompter.print('Press Enter to accept the value in [brackets]. Ctrl-C cancels; nothing is written.');
    return {
      notices,
      directory: given.print ? directory : await askDirectory(given, prompter, world),
      answers: await interview(answers, presets, prompter),
    };
  } finally {
    prompt.end();
  }
}

function terminalPrompter(prompt: Prompt, { stdout }: World): Prompter {
  return {
    ask: (question) => prompt.ask(printable(question)),
    print: (line) => {
      // If the terminal is gone, the next question fails.
      stdout(`${printable(line)}\n`).catch(() => undefined);
    },
  };
}

/** Reads the job's IDs, unless the flags have all of them. */
async function idsOfJob(
  { allowsForks, fields, joinMethod, withoutContext }: Answers,
  world: World,
): Promise<JobIds | undefined> {
  const names: readonly FieldName[] = [
    'organizationId',
    'projectId',
    ...(withoutContext ? [] : ['contextId' as const]),
    ...(methodOf({ fields, joinMethod }) === 'circleci' || allowsForks ? [] : ['vcsOrigin' as const]),
  ];
  if (names.every((name) => fields.has(name))) return undefined;
  return findJobIds(world);
}

function ambiguousContexts({ fields, withoutContext }: Answers, job: JobIds | undefined): readonly string[] {
  const contexts = job?.contexts ?? [];
  return withoutContext || fields.has('contextId') || contexts.length < 2 ? [] : contexts.map(({ value }) => value);
}

function presetsFrom(
  { contexts, withoutContext }: Answers,
  job: JobIds | undefined,
  { environment, workingDirectory }: World,
): ReadonlyMap<FieldName, Answer> {
  const presets = new Map<FieldName, Answer>();
  const preset = (name: FieldName, text: string | undefined, origin: string) => {
    if (text) presets.set(name, { text, origin });
  };
  preset('proxy', environment.TELEPORT_PROXY, 'TELEPORT_PROXY');
  preset('organizationId', job?.organization?.value, job?.organization?.source ?? '');
  preset('projectId', job?.project?.value, job?.project?.source ?? '');
  preset('vcsOrigin', job?.vcsOrigin?.value, job?.vcsOrigin?.source ?? '');
  const issuer = job?.issuer?.value;
  if (issuer !== undefined && !/^https:\/\/oidc\.circleci\.com(?:\/|$)/.test(issuer)) {
    preset('issuer', issuer, job?.issuer?.source ?? '');
  }
  const [context] = job?.contexts ?? [];
  if (!withoutContext && contexts.length === 0) preset('contextId', context?.value, context?.source ?? '');
  preset('bot', botName(job?.repository ?? environment.CIRCLE_PROJECT_REPONAME ?? basename(workingDirectory)), '--bot');
  const home = environment.CIRCLECI === 'true' ? environment.HOME : undefined;
  preset('destination', `${home ?? '/home/circleci'}/.teleport-identity`, '--destination');
  return presets;
}

const MAX_PROJECT_CHARS = 40;

function botName(project: string): string {
  const slug = project
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '-')
    .slice(0, MAX_PROJECT_CHARS)
    .replace(/^-|-$/g, '');
  return slug === '' ? 'circleci' : `circleci-${slug}`;
}

function withPresets(answers: Answers, presets: ReadonlyMap<FieldName, Answer>): Answers {
  const fields = new Map([...presets, ...answers.fields]);
  // The origin of the job is for the rule that excludes forks.
  if (answers.allowsForks) fields.delete('vcsOrigin');
  const bot = fields.get('bot');
  if (bot !== undefined && !fields.has('token')) fields.set('token', bot);
  return { ...answers, fields };
}

/** Asks until the answer is a directory that can be written to. */
async function askDirectory(
  { answers, directory, force }: InitArguments,
  { ask, print }: Prompter,
  world: World,
): Promise<string> {
  let answer = directory;
  for (;;) {
    answer ??= (await ask(`Directory for the files [${DEFAULT_DIRECTORY}]: `)).trim() || DEFAULT_DIRECTORY;
    const problems = await directoryProblems(answer, { force, names: setupFileNames(answers.form) }, world);
    if (problems.length === 0) return answer;
    for (const { message, path } of problems) print(`  ${path}: ${message}`);
    answer = undefined;
  }
}
