/** Turns answers into a set-up, or says everything that is missing or wrong. */
import { refuseScopes } from '../../config/checks.ts';
import { loadPlan } from '../../config/load.ts';
import { MachineIdError, type Problem } from '../../errors.ts';
import { supportedOutputs } from '../../outputs/output.ts';
import { type Answer, type Answers, FIELD_NAMES, type FieldName, FIELDS, rolesIn, type Setup } from './fields.ts';

/** What is missing or wrong, each with the flag, or with where it was found. */
export function findProblems(answers: Answers): readonly Problem[] {
  return FIELD_NAMES.flatMap((name) => {
    const { check, flag, whereToFind } = FIELDS[name];
    const answer = answers.fields.get(name);
    if (answer !== undefined) {
      const problem = check(answer.text);
      return problem === undefined ? [] : [{ path: answer.origin, message: problem }];
    }
    const optional = whereToFind === undefined || (name === 'contextId' && answers.withoutContext);
    if (optional) return [];
    const choice = name === 'contextId' ? choiceOf(answers) : '';
    return [{ path: flag, message: `is missing${choice}: ${whereToFind}` }];
  });
}

function choiceOf({ contexts }: Answers): string {
  return contexts.length === 0 ? '' : ` (this job has ${contexts.join(' and ')})`;
}

export interface CheckedSetup {
  readonly setup: Setup;
  /** Sentences for a person. */
  readonly warnings: readonly string[];
}

/**
 * @param others problems of another kind, told together with these
 * @throws MachineIdError USAGE_INVALID; CONFIG_INVALID for what only `run`'s own reader of flags finds
 */
export async function checkAnswers(answers: Answers, others: readonly Problem[]): Promise<CheckedSetup> {
  const problems = [...findProblems(answers), ...others];
  if (problems.length > 0) throw unusable(problems);
  const text = (name: FieldName) => answers.fields.get(name)?.text;
  const id = (name: FieldName): Answer => lowerCase(known(answers, name));
  const plan = await planOf(answers);
  refuseScopes(plan);
  const withContext = answers.fields.has('contextId') && !answers.withoutContext;
  return {
    setup: {
      proxy: plan.address.value,
      organizationId: id('organizationId'),
      projectId: id('projectId'),
      contextId: withContext ? id('contextId') : undefined,
      contextName: text('contextName'),
      bot: known(answers, 'bot').text,
      token: plan.token,
      roles: rolesIn(known(answers, 'roles').text),
      outputs: supportedOutputs(plan),
    },
    warnings: [...plan.warnings, ...(withContext ? [] : [WITHOUT_CONTEXT])],
  };
}

const WITHOUT_CONTEXT =
  'the rule names no context: every job of the project may become the bot, on every branch, with any context or none';

/** The outputs are those that `run` makes from flags of the same names. */
function planOf({ fields, ssh }: Answers) {
  const text = (name: FieldName) => fields.get(name)?.text;
  return loadPlan({
    flags: {
      proxyServer: text('proxy'),
      token: text('token'),
      destination: text('destination'),
      kubernetesCluster: text('kubernetesCluster'),
      database: text('database'),
      databaseUser: text('databaseUser'),
      databaseName: text('databaseName'),
      application: text('application'),
      ssh,
    },
    environment: {},
    workingDirectory: '/',
    readFile: (path) => Promise.reject(new Error(`${path} is not looked for`)),
  });
}

function known({ fields }: Answers, name: FieldName): Answer {
  const answer = fields.get(name);
  if (answer === undefined) throw new Error(`${name} has been checked and is not there`);
  return answer;
}

/** As CircleCI writes its ids: Teleport compares letter by letter. */
function lowerCase({ origin, text }: Answer): Answer {
  return { origin, text: text.toLowerCase() };
}

function unusable(problems: readonly Problem[]): MachineIdError {
  return new MachineIdError('USAGE_INVALID', 'the set-up cannot be written', {
    hint: 'Give what is missing, or call it on a terminal, where it asks; nothing was written. The flags: --help.',
    problems,
  });
}
