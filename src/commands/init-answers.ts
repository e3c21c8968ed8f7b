/** What `init` is to know: from flags, from the job, and from the person at the terminal. */
import { basename } from 'node:path';
import type { Conversation } from '../effects/conversation.ts';
import type { World } from '../effects/world.ts';
import { printable } from '../errors.ts';
import { findJobIds, type JobIds } from '../job/job-ids.ts';
import type { Answer, Answers, FieldName } from '../setup/answer.ts';
import { interview, type Person } from '../setup/interview.ts';
import type { InitArguments } from './init-flags.ts';
import { DEFAULT_DIRECTORY, directoryFaults } from './init-files.ts';

export interface Collected {
  readonly answers: Answers;
  /** To write to. */
  readonly directory: string;
  /** Sentences for a person. */
  readonly notices: readonly string[];
}

/** By questions where somebody can be asked, else by defaults. */
export async function collectAnswers(given: InitArguments, world: World): Promise<Collected> {
  const job = await idsOfJob(given.answers, world);
  const notices = job?.warnings ?? [];
  const answers = { ...given.answers, contexts: ambiguousContexts(given.answers, job) };
  const presets = presetsFrom(answers, job, world);
  const conversation = given.yes || given.faults.length > 0 ? undefined : world.beginConversation?.();
  const directory = given.directory ?? DEFAULT_DIRECTORY;
  if (conversation === undefined) return { answers: withPresets(answers, presets), directory, notices };
  try {
    const person = personAt(conversation, world);
    person.tell('Press Enter to accept the value in [brackets]. Ctrl-C cancels; nothing is written.');
    return {
      notices,
      directory: given.print ? directory : await askDirectory(given, person, world),
      answers: await interview(answers, presets, person),
    };
  } finally {
    conversation.end();
  }
}

function personAt(conversation: Conversation, { stdout }: World): Person {
  return {
    ask: (question) => conversation.ask(printable(question)),
    tell: (line) => {
      // A terminal that was hung up ends the next question.
      stdout(`${printable(line)}\n`).catch(() => undefined);
    },
  };
}

/** The job is looked at when it can answer something. */
async function idsOfJob({ fields, withoutContext }: Answers, world: World): Promise<JobIds | undefined> {
  const names: readonly FieldName[] = [
    'organizationId',
    'projectId',
    ...(withoutContext ? [] : ['contextId' as const]),
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
  const [context] = job?.contexts ?? [];
  if (!withoutContext && contexts.length === 0) preset('contextId', context?.value, context?.source ?? '');
  preset('bot', botName(job?.repository ?? environment.CIRCLE_PROJECT_REPONAME ?? basename(workingDirectory)), '--bot');
  const home = environment.CIRCLECI === 'true' ? environment.HOME : undefined;
  preset('destination', `${home ?? '/home/circleci'}/.teleport-identity`, '--destination');
  return presets;
}

const LONGEST_PROJECT_IN_NAME = 40;

function botName(project: string): string {
  const slug = project
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '-')
    .slice(0, LONGEST_PROJECT_IN_NAME)
    .replace(/^-|-$/g, '');
  return slug === '' ? 'circleci' : `circleci-${slug}`;
}

function withPresets(answers: Answers, presets: ReadonlyMap<FieldName, Answer>): Answers {
  const fields = new Map([...presets, ...answers.fields]);
  const bot = fields.get('bot');
  if (bot !== undefined && !fields.has('token')) fields.set('token', bot);
  return { ...answers, fields };
}

/** Until it is one that can be written to. */
async function askDirectory({ directory, force }: InitArguments, { ask, tell }: Person, world: World): Promise<string> {
  let answer = directory;
  for (;;) {
    answer ??= (await ask(`Folder for the files [${DEFAULT_DIRECTORY}]: `)).trim() || DEFAULT_DIRECTORY;
    const faults = await directoryFaults(answer, force, world);
    if (faults.length === 0) return answer;
    for (const { message, path } of faults) tell(`  ${path}: ${message}`);
    answer = undefined;
  }
}
