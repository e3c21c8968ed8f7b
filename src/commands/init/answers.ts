/** What `init` is to know: from flags, from the job, and from the person at the terminal. */
import { basename } from 'node:path';
import type { Prompt } from '../../effects/terminal.ts';
import type { World } from '../../effects/world.ts';
import { printable } from '../../errors.ts';
import { findJobIds, type JobIds } from '../../job/job-ids.ts';
import { type Answer, type Answers, type FieldName, FIELDS } from './fields.ts';
import type { InitArguments } from './flags.ts';
import { DEFAULT_DIRECTORY, directoryProblems } from './folder.ts';

interface Collected {
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
  const conversation = given.yes || given.problems.length > 0 ? undefined : world.openPrompt?.();
  const directory = given.directory ?? DEFAULT_DIRECTORY;
  if (conversation === undefined) return { answers: withPresets(answers, presets), directory, notices };
  try {
    const person = terminalPrompter(conversation, world);
    person.print('Press Enter to accept the value in [brackets]. Ctrl-C cancels; nothing is written.');
    return {
      notices,
      directory: given.print ? directory : await askDirectory(given, person, world),
      answers: await interview(answers, presets, person),
    };
  } finally {
    conversation.end();
  }
}

function terminalPrompter(conversation: Prompt, { stdout }: World): Prompter {
  return {
    ask: (question) => conversation.ask(printable(question)),
    print: (line) => {
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
  const bot = fields.get('bot');
  if (bot !== undefined && !fields.has('token')) fields.set('token', bot);
  return { ...answers, fields };
}

/** Until it is one that can be written to. */
async function askDirectory(
  { directory, force }: InitArguments,
  { ask, print }: Prompter,
  world: World,
): Promise<string> {
  let answer = directory;
  for (;;) {
    answer ??= (await ask(`Folder for the files [${DEFAULT_DIRECTORY}]: `)).trim() || DEFAULT_DIRECTORY;
    const problems = await directoryProblems(answer, force, world);
    if (problems.length === 0) return answer;
    for (const { message, path } of problems) print(`  ${path}: ${message}`);
    answer = undefined;
  }
}

// Asks a person for what nobody has said yet, with what was found as the default.

interface Prompter {
  readonly ask: (question: string) => Promise<string>;
  /** One line. */
  readonly print: (line: string) => void;
}

const OUTPUT_FIELDS: readonly FieldName[] = [
  'kubernetesCluster',
  'database',
  'databaseUser',
  'databaseName',
  'application',
];

async function interview(given: Answers, presets: ReadonlyMap<FieldName, Answer>, person: Prompter): Promise<Answers> {
  const fields = new Map(given.fields);
  const ask = (name: FieldName, preset = presets.get(name)) => askField(name, fields, preset, person);
  const asksForOutputs = !given.ssh && !OUTPUT_FIELDS.some((name) => given.fields.has(name));
  await ask('proxy');
  await ask('organizationId');
  await ask('projectId');
  const withoutContext = given.withoutContext || !(await askContext(given, ask, person));
  if (!withoutContext) await ask('contextName');
  await ask('bot');
  await ask('token', fields.get('bot'));
  await ask('roles');
  const ssh = asksForOutputs ? await askOutputs(fields, ask, person) : given.ssh;
  await ask('destination');
  if (withoutContext) fields.delete('contextId');
  return { ...given, fields, withoutContext, ssh };
}

type Ask = (name: FieldName) => Promise<Answer | undefined>;

/** Whether there is one. */
async function askContext({ contexts }: Answers, ask: Ask, { print }: Prompter): Promise<boolean> {
  if (contexts.length > 0) print(`This job has the contexts ${contexts.join(' and ')}.`);
  return (await ask('contextId'))?.text !== NO_CONTEXT;
}

/** Whether an identity is wanted too. */
async function askOutputs(
  fields: ReadonlyMap<FieldName, Answer>,
  ask: Ask,
  { ask: askFreely }: Prompter,
): Promise<boolean> {
  await ask('kubernetesCluster');
  if ((await ask('database')) !== undefined) {
    await ask('databaseUser');
    await ask('databaseName');
  }
  await ask('application');
  if (!OUTPUT_FIELDS.some((name) => fields.has(name))) return false;
  return /^y(es)?$/i.test((await askFreely('An identity for ssh and tctl beside those? y/N: ')).trim());
}

const NO_CONTEXT = 'none';

/** Asks until the answer is valid, also when a flag was invalid. */
async function askField(
  name: FieldName,
  fields: Map<FieldName, Answer>,
  preset: Answer | undefined,
  { ask, print }: Prompter,
): Promise<Answer | undefined> {
  const { check, question, whereToFind } = FIELDS[name];
  const usable = preset === undefined || check(preset.text) !== undefined ? undefined : preset;
  let answer = fields.get(name);
  fields.delete(name);
  for (;;) {
    if (answer !== undefined) {
      const problem = name === 'contextId' && answer.text === NO_CONTEXT ? undefined : check(answer.text);
      if (problem === undefined) {
        fields.set(name, answer);
        return answer;
      }
      print(`  ${problem}`);
    }
    const text = (await ask(`${question}${usable === undefined ? '' : ` [${usable.text}]`}: `)).trim();
    answer = text === '' ? usable : { text, origin: 'an answer' };
    if (answer !== undefined) continue;
    if (whereToFind === undefined) return undefined;
    print(`  ${whereToFind}`);
  }
}
