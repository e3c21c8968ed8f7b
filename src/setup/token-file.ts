/** `bot-token.yaml`: the join token, which says the jobs that may become the bot (configuration reference 7.2). */
import { alsoAdmits } from '../join/allow-rule.ts';
import type { Answer } from './answer.ts';
import type { Setup } from './setup.ts';
import { comment, indented, scalar } from './yaml-text.ts';

export function tokenFile({ bot, contextId, organizationId, projectId, token }: Setup): string {
  const fields = [
    comment(`The project ${foundIn(projectId)}. Project Settings, Overview, shows it.`),
    `project_id: ${scalar(projectId.text)}`,
    ...(contextId === undefined ? [] : contextFields(contextId)),
  ];
  const admits = alsoAdmits({ projectId: projectId.text, contextId: contextId?.text });
  return `# The join token: which jobs may become the bot. Nothing in it is secret.
kind: token
version: v2
metadata:
  # What tbot.yaml names the token by.
  name: ${scalar(token)}
spec:
  roles: [Bot]
  join_method: circleci
  bot_name: ${scalar(bot)}
  circleci:
${indented(comment(`The organization ${foundIn(organizationId)}. Organization Settings, Overview, shows it.`), 4)}
    organization_id: ${scalar(organizationId.text)}
    # A job must fit one rule, and every field of it.
    allow:
${indented(comment(`This rule admits:\n${admits.map((jobs) => `- ${jobs}`).join('\n')}`), 6)}
${indented(asItem(fields.join('\n')), 6)}
`;
}

function contextFields(contextId: Answer): readonly string[] {
  return [
    comment(
      `The context ${foundIn(contextId)}. Organization Settings, Contexts: the URL of the context's own page ends in it.`,
    ),
    `context_id: ${scalar(contextId.text)}`,
  ];
}

function foundIn({ origin }: Answer): string {
  return `(from ${origin})`;
}

/** Comments before the first key stand before the dash. */
function asItem(lines: string): string {
  const [, comments = '', fields = ''] = /^((?:#.*\n)*)([^]*)$/.exec(lines) ?? [];
  return `${comments}- ${indented(fields, 2).trimStart()}`;
}
