/** Asks a person for every answer that is still missing, offering the values found in the job as defaults. */
import { type FieldName, FIELDS } from './fields.ts';
import { type Answer, type Answers, methodOf } from './setup.ts';

export interface Prompter {
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

export async function interview(
  given: Answers,
  presets: ReadonlyMap<FieldName, Answer>,
  prompter: Prompter,
): Promise<Answers> {
  const fields = new Map(given.fields);
  const issuer = presets.get('issuer');
  if (issuer !== undefined && !fields.has('issuer')) fields.set('issuer', issuer);
  const ask = (name: FieldName, preset = presets.get(name)) => askField(name, fields, preset, prompter);
  const asksForOutputs = !given.ssh && !OUTPUT_FIELDS.some((name) => given.fields.has(name));
  await ask('proxy');
  await ask('organizationId');
  await ask('projectId');
  const withoutContext = given.withoutContext || !(await askContext(given, ask, prompter));
  if (!withoutContext) await ask('contextName');
  await ask('bot');
  await ask('token', fields.get('bot'));
  await ask('roles');
  const rules = await askRules({ ...given, fields }, ask, prompter);
  const ssh = asksForOutputs ? await askOutputs(fields, ask, prompter) : given.ssh;
  await ask('destination');
  if (withoutContext) fields.delete('contextId');
  return { ...given, ...rules, fields, withoutContext, ssh };
}

/** Which branches, tags, forks and reruns are allowed; nothing if the join method is circleci. */
async function askRules(
  given: Answers,
  ask: Ask,
  { ask: askQuestion, print }: Prompter,
): Promise<Pick<Answers, 'allowsForks' | 'allowsSshRerun'>> {
  if (given.joinMethod === 'circleci') return given;
  await ask('branches');
  if (methodOf(given) === 'circleci') return given;
  await ask('tags');
  const confirms = async (question: string) => /^y(es)?$/i.test((await askQuestion(`${question} y/N: `)).trim());
  const allowsForks = given.allowsForks || (await confirms('Allow pull requests from forks?'));
  while (!allowsForks && (await ask('vcsOrigin')) === undefined)
    print('  without the repository, forks cannot be rejected');
  return {
    allowsForks,
    allowsSshRerun: given.allowsSshRerun || (await confirms('Allow jobs that are rerun with SSH?')),
  };
}

type Ask = (name: FieldName) => Promise<Answer | undefined>;

/** @returns whether the jobs use a context */
async function askContext({ contexts }: Answers, ask: Ask, { print }: Prompter): Promise<boolean> {
  if (contexts.length > 0) print(`This job uses the contexts ${contexts.join(' and ')}.`);
  return (await ask('contextId'))?.text !== NO_CONTEXT;
}

/** @returns whether to add an identity output */
async function askOutputs(
  fields: ReadonlyMap<FieldName, Answer>,
  ask: Ask,
  { ask: askQuestion }: Prompter,
): Promise<boolean> {
  await ask('kubernetesCluster');
  if ((await ask('database')) !== undefined) {
    await ask('databaseUser');
    await ask('databaseName');
  }
  await ask('application');
  if (!OUTPUT_FIELDS.some((name) => fields.has(name))) return false;
  return /^y(es)?$/i.test((await askQuestion('Also write an identity for ssh and tctl? y/N: ')).trim());
}

const NO_CONTEXT = 'none';

/** Asks until the answer is valid. An invalid flag counts as a first answer. */
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
