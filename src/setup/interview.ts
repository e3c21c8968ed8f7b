/** Asks a person for what nobody has said yet, with what was found as the default. */
import type { Answer, Answers, FieldName } from './answer.ts';
import { FIELDS } from './fields.ts';

export interface Person {
  readonly ask: (question: string) => Promise<string>;
  /** One line. */
  readonly tell: (line: string) => void;
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
  person: Person,
): Promise<Answers> {
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
async function askContext({ contexts }: Answers, ask: Ask, { tell }: Person): Promise<boolean> {
  if (contexts.length > 0) tell(`This job has the contexts ${contexts.join(' and ')}.`);
  return (await ask('contextId'))?.text !== NO_CONTEXT;
}

/** Whether an identity is wanted too. */
async function askOutputs(
  fields: ReadonlyMap<FieldName, Answer>,
  ask: Ask,
  { ask: askFreely }: Person,
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
  { ask, tell }: Person,
): Promise<Answer | undefined> {
  const { check, question, whereToFind } = FIELDS[name];
  const usable = preset === undefined || check(preset.text) !== undefined ? undefined : preset;
  let answer = fields.get(name);
  fields.delete(name);
  for (;;) {
    if (answer !== undefined) {
      const fault = name === 'contextId' && answer.text === NO_CONTEXT ? undefined : check(answer.text);
      if (fault === undefined) {
        fields.set(name, answer);
        return answer;
      }
      tell(`  ${fault}`);
    }
    const text = (await ask(`${question}${usable === undefined ? '' : ` [${usable.text}]`}: `)).trim();
    answer = text === '' ? usable : { text, origin: 'an answer' };
    if (answer !== undefined) continue;
    if (whereToFind === undefined) return undefined;
    tell(`  ${whereToFind}`);
  }
}
