/** Turns answers into a checked setup, or reports everything that is missing or invalid. */
import { refuseScopes } from '../../config/checks.ts';
import { loadPlan } from '../../config/load.ts';
import { MachineIdError, type Problem } from '../../errors.ts';
import { supportedOutputs } from '../../outputs/supported.ts';
import { FIELD_NAMES, type FieldName, FIELDS, rolesIn } from './fields.ts';
import type { Answer, Answers, Setup } from './setup.ts';

/** Missing and invalid answers, each with its flag or the source of its value. */
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
  /** Messages for the user. */
  readonly warnings: readonly string[];
}

/**
 * @param others problems of other kinds, which are reported together with these
 * @throws MachineIdError USAGE_INVALID; CONFIG_INVALID for problems that only the flag reader of `run` finds
 */
export async function checkAnswers(answers: Answers, others: readonly Problem[]): Promise<CheckedSetup> {
  const problems = [...findProblems(answers), ...others];
  if (problems.length > 0) throw invalidSetup(problems);
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
  'the rule has no context: every job of the project can become the bot, on every branch, with any context or none';

/** The outputs are those of `run` for the same flags. */
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
    readFile: (path) => Promise.reject(new Error(`${path} must not be read`)),
  });
}

function known({ fields }: Answers, name: FieldName): Answer {
  const answer = fields.get(name);
  if (answer === undefined) throw new Error(`${name} has been checked, but is missing`);
  return answer;
}

/** CircleCI's IDs are lower case, and Teleport's comparison is case-sensitive. */
function lowerCase({ origin, text }: Answer): Answer {
  return { origin, text: text.toLowerCase() };
}

function invalidSetup(problems: readonly Problem[]): MachineIdError {
  return new MachineIdError('USAGE_INVALID', 'the setup files cannot be written', {
    hint: 'Pass the missing values as flags (see --help), or run init on a terminal, where it asks for them; nothing was written.',
    problems,
  });
}
