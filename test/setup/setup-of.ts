/** A set-up for tests, as the flags of the command line would make it. */
import { checkAnswers } from '../../src/setup/check-answers.ts';
import type { Answers, FieldName } from '../../src/setup/answer.ts';
import type { Setup } from '../../src/setup/setup.ts';

export const ORGANIZATION = '11111111-2222-4333-8444-555555555555';
export const PROJECT = '66666666-7777-4888-9999-aaaaaaaaaaaa';
export const CONTEXT = 'bbbbbbbb-cccc-4ddd-8eee-ffffffffffff';

const TEXTS: Partial<Record<FieldName, string>> = {
  proxy: 'example.teleport.sh:443',
  organizationId: ORGANIZATION,
  projectId: PROJECT,
  contextId: CONTEXT,
  bot: 'circleci-app',
  token: 'circleci-app',
  roles: 'deployer, editor',
  destination: '/home/circleci/.teleport-identity',
};

/** What is undefined has not been said. */
export function answersOf(texts: Partial<Record<FieldName, string | undefined>> = {}): Answers {
  const fields = new Map<FieldName, { text: string; origin: string }>();
  for (const [name, text] of Object.entries({ ...TEXTS, ...texts })) {
    if (text !== undefined && isField(name)) fields.set(name, { text, origin: `--${name}` });
  }
  return { fields, withoutContext: false, contexts: [], ssh: false };
}

const NAMES: Readonly<Record<FieldName, true>> = {
  proxy: true,
  organizationId: true,
  projectId: true,
  contextId: true,
  contextName: true,
  bot: true,
  token: true,
  roles: true,
  kubernetesCluster: true,
  database: true,
  databaseUser: true,
  databaseName: true,
  application: true,
  destination: true,
};

function isField(name: string): name is FieldName {
  return name in NAMES;
}

export async function setupOf(texts: Partial<Record<FieldName, string | undefined>> = {}): Promise<Setup> {
  return (await checkAnswers(answersOf(texts), [])).setup;
}
