/** A setup for tests, as the flags of the command line would make it. */
import { checkAnswers } from '../../../src/commands/init/check-answers.ts';
import { FIELD_NAMES, type FieldName } from '../../../src/commands/init/fields.ts';
import type { Answers, Setup } from '../../../src/commands/init/setup.ts';

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

/** Undefined texts are missing answers. */
export function answersOf(texts: Partial<Record<FieldName, string | undefined>> = {}): Answers {
  const fields = new Map<FieldName, { text: string; origin: string }>();
  for (const name of FIELD_NAMES) {
    const text = { ...TEXTS, ...texts }[name];
    if (text !== undefined) fields.set(name, { text, origin: `--${name}` });
  }
  const choices = { joinMethod: undefined, form: 'tctl', allowsForks: false, allowsSshRerun: false } as const;
  return { ...choices, fields, withoutContext: false, contexts: [], ssh: false };
}

export async function setupOf(
  texts: Partial<Record<FieldName, string | undefined>> = {},
  choices: Partial<Answers> = {},
): Promise<Setup> {
  return (await checkAnswers({ ...answersOf(texts), ...choices }, [])).setup;
}
