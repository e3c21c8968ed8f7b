/** Turns answers into a checked setup, or reports everything that is missing or invalid. */
import { refuseScopes } from '../../config/checks.ts';
import { loadPlan } from '../../config/load.ts';
import { MachineIdError, type Problem } from '../../errors.ts';
import { supportedOutputs } from '../../outputs/supported.ts';
import { FIELD_NAMES, type FieldName, FIELDS, FOUND_IN_JOBS, namesIn } from './fields.ts';
import { type Answer, type Answers, type GenericRule, methodOf, type Setup } from './setup.ts';

/** Missing and invalid answers, each with its flag or the source of its value. */
export function findProblems(answers: Answers): readonly Problem[] {
  return [...fieldProblems(answers), ...originProblems(answers), ...objectNameProblems(answers)];
}

function fieldProblems(answers: Answers): readonly Problem[] {
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

/** Without the origin, a fork with a branch of the same name is allowed. */
function originProblems({ allowsForks, ...answers }: Answers): readonly Problem[] {
  if (methodOf(answers) === 'circleci' || allowsForks || answers.fields.has('vcsOrigin')) return [];
  const message = `is missing: name the repository, such as github.com/example/app, so that forks are rejected, or pass --allow-forks. ${FOUND_IN_JOBS}`;
  return [{ path: FIELDS.vcsOrigin.flag, message }];
}

/** Names of Kubernetes objects (RFC 1123). */
function objectNameProblems({ fields, form }: Answers): readonly Problem[] {
  if (form !== 'operator') return [];
  return (['bot', 'token'] as const).flatMap((name) => {
    const answer = fields.get(name);
    if (answer === undefined || /^[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?$/.test(answer.text)) return [];
    const message = `${JSON.stringify(answer.text)} is not the name of a Kubernetes object: use lower-case letters, digits, - and .`;
    return [{ path: answer.origin, message }];
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
  const contexts = answers.withoutContext ? undefined : answers.fields.get('contextId');
  const withContext = contexts !== undefined;
  const generic = methodOf(answers) === 'generic_oidc' ? genericRule(answers) : undefined;
  return {
    setup: {
      proxy: plan.address.value,
      organizationId: id('organizationId'),
      projectId: id('projectId'),
      contextIds:
        contexts === undefined ? [] : namesIn(contexts.text).map((one) => lowerCase({ ...contexts, text: one })),
      contextName: text('contextName'),
      bot: known(answers, 'bot').text,
      token: plan.token,
      roles: namesIn(known(answers, 'roles').text),
      outputs: supportedOutputs(plan),
      form: answers.form,
      generic,
    },
    warnings: [...plan.warnings, ...setupWarnings({ withContext, generic })],
  };
}

interface Openness {
  readonly withContext: boolean;
  readonly generic: GenericRule | undefined;
}

function setupWarnings({ generic, withContext }: Openness): readonly string[] {
  const isOpen = generic === undefined || generic.refs.length === 0;
  return [
    ...(withContext || !isOpen ? [] : [WITHOUT_CONTEXT]),
    ...(generic?.refs.length === 0 ? ['the rule has neither --branch nor --tag: it allows every branch and tag'] : []),
  ];
}

const WITHOUT_CONTEXT =
  'the rule has no context: every job of the project can become the bot, on every branch, with any context or none';

function genericRule(answers: Answers): GenericRule {
  const text = (name: FieldName) => answers.fields.get(name)?.text;
  const organization = lowerCase(known(answers, 'organizationId')).text;
  const host = known(answers, 'proxy').text.replace(/:443$/, '');
  return {
    issuer: text('issuer') ?? `https://oidc.circleci.com/org/${organization}`,
    audience: text('audience') ?? `${host}/${known(answers, 'token').text}`,
    refs: [
      ...namesIn(text('branches') ?? '').map((name) => fullRef('refs/heads/', name)),
      ...namesIn(text('tags') ?? '').map((name) => fullRef('refs/tags/', name)),
    ],
    origin: answers.allowsForks ? undefined : answers.fields.get('vcsOrigin'),
    allowsSshRerun: answers.allowsSshRerun,
  };
}

function fullRef(prefix: string, name: string): string {
  return name.startsWith(prefix) ? name : `${prefix}${name}`;
}

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
