/** Bot and join token as YAML, for tctl or for Teleport's Kubernetes operator. */
import { alsoAllows } from '../../join/facts.ts';
import { comment, entry, indented, scalar } from './quoting.ts';
import { rulesOf } from './rule.ts';
import type { Answer, Form, GenericRule, Setup } from './setup.ts';

/** `bot.yaml`: the bot that jobs become (configuration reference 7.3). */
export function botFile({ bot, form, roles }: Pick<Setup, 'bot' | 'form' | 'roles'>): string {
  return `# The bot that jobs become. Teleport supports bot resources since version 15.
${header(form, { kind: 'bot', version: 'v1', object: 'TeleportBotV1' })}
metadata:
  name: ${scalar(bot)}
spec:
  # Only the roles that the jobs need.
  roles:
${roles.map((role) => `    - ${scalar(role)}\n`).join('')}`;
}

interface Kind {
  readonly kind: string;
  readonly version: string;
  readonly object: string;
}

function header(form: Form, { kind, object, version }: Kind): string {
  return form === 'operator'
    ? `apiVersion: resources.teleport.dev/${version}\nkind: ${object}`
    : `kind: ${kind}\nversion: ${version}`;
}

/** `bot-token.yaml`: the join token, with the rule for the jobs that can become the bot (configuration reference 7.2). */
export function tokenFile(setup: Setup): string {
  const { bot, form, generic, token } = setup;
  return `# The join token, which decides which jobs can become the bot. It contains no secrets.
${header(form, { kind: 'token', version: 'v2', object: 'TeleportProvisionToken' })}
metadata:
  # tbot.yaml refers to the token by this name.
  name: ${scalar(token)}
spec:
  roles: [Bot]
  join_method: ${generic === undefined ? 'circleci' : 'generic_oidc'}
  bot_name: ${scalar(bot)}
${indented(generic === undefined ? circleciSettings(setup) : genericSettings(setup, generic), 2)}
`;
}

function circleciSettings({ contextIds, organizationId, projectId }: Setup): string {
  const [first] = contextIds;
  const allows = alsoAllows({ projectId: projectId.text, contextId: first?.text });
  const rules = contextIds.length === 0 ? [[]] : contextIds.map(contextFields);
  return `circleci:
${indented(comment(`The organization ${originComment(organizationId)}; see Organization Settings > Overview.`), 2)}
  organization_id: ${scalar(organizationId.text)}
  # A job must match every field of at least one rule. The method circleci does not compare branches, tags or forks.
  allow:
${indented(comment(`This rule allows:\n${allows.map((jobs) => `- ${jobs}`).join('\n')}`), 4)}
${rules.map((fields) => indented(asItem([...projectFields(projectId), ...fields].join('\n')), 4)).join('\n')}`;
}

function projectFields(projectId: Answer): readonly string[] {
  return [
    comment(`The project ${originComment(projectId)}; see Project Settings > Overview.`),
    `project_id: ${scalar(projectId.text)}`,
  ];
}

function contextFields(contextId: Answer): readonly string[] {
  return [
    comment(
      `The context ${originComment(contextId)}; see Organization Settings > Contexts: the last part of the context's URL.`,
    ),
    `context_id: ${scalar(contextId.text)}`,
  ];
}

export function originComment({ origin }: Answer): string {
  return `(from ${origin})`;
}

/** A list item; comments before the first key go before the dash. */
function asItem(lines: string): string {
  const [, comments = '', fields = ''] = /^((?:#.*\n)*)([^]*)$/.exec(lines) ?? [];
  return `${comments}- ${indented(fields, 2).trimStart()}`;
}

function genericSettings(setup: Setup, { audience, issuer }: GenericRule): string {
  const { expression, mustMatchFields } = rulesOf(setup);
  const fields = Object.entries(mustMatchFields).map(([name, value]) => entry(name, value));
  return `generic_oidc:
  # The claim iss of the OIDC tokens, to the letter.
  ${entry('issuer', issuer)}
  # For this token alone: other services never get an OIDC token for it.
  ${entry('audience', audience)}
${indented(
  comment(
    `This allows:\n${allowedJobs(setup)
      .map((jobs) => `- ${jobs}`)
      .join('\n')}`,
  ),
  2,
)}
  must_match_fields:
${indented(fields.join('\n'), 4)}${expression.length === 0 ? '' : `\n${indented(expressionEntry(expression), 2)}`}`;
}

/** Each part on its line; a line must end with the operator. */
function expressionEntry(parts: readonly string[]): string {
  return `allow_any:\n  - expression: |-\n${indented(parts.join(' &&\n'), 6)}`;
}

/** What the rule allows, for comments. */
export function allowedJobs({ contextIds, generic, projectId }: Setup): readonly string[] {
  if (generic === undefined) return [];
  const { allowsSshRerun, origin, refs } = generic;
  return [
    `jobs of the project ${projectId.text} ${originComment(projectId)}`,
    refs.length === 0 ? 'on every branch and tag' : `on ${refs.join(', ')}`,
    contextIds.length === 0
      ? 'with any context or none'
      : `with the context ${contextIds.map(({ text }) => text).join(' or ')}`,
    origin === undefined
      ? 'of forks too, if the project passes secrets to them'
      : `of the repository ${origin.text} ${originComment(origin)}`,
    allowsSshRerun ? 'also when rerun with SSH' : 'not when rerun with SSH',
  ];
}
