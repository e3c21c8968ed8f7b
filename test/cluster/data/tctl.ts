/** What an administrator does with tctl: creates bots and join tokens, as resources or in the older way. */
import { parse } from 'yaml';
import { z } from 'zod';
import { botUserName, role, type JoinToken, type Resources } from './data.ts';

const Metadata = z.strictObject({ name: z.string().regex(/^[0-9A-Za-z@_:.\-+]+$/) });

const Bot = z.strictObject({
  kind: z.literal('bot'),
  version: z.literal('v1'),
  metadata: Metadata,
  spec: z.strictObject({ roles: z.array(z.string()) }),
});

const Rule = z
  .strictObject({ project_id: z.string().min(1).optional(), context_id: z.string().min(1).optional() })
  .refine(({ context_id, project_id }) => (context_id ?? project_id) !== undefined, {
    error: 'allow rule for "circleci" must include at least "project_id" or "context_id"',
  });

const Token = z.strictObject({
  kind: z.literal('token'),
  version: z.literal('v2'),
  metadata: Metadata,
  spec: z.strictObject({
    roles: z.tuple([z.literal('Bot')]),
    join_method: z.literal('circleci'),
    bot_name: z.string().min(1),
    circleci: z.strictObject({ organization_id: z.string().min(1), allow: z.array(Rule).min(1) }),
  }),
});

/** `tctl create -f FILE`. */
export function tctlCreate(resources: Resources, yaml: string): void {
  const document = z.discriminatedUnion('kind', [Bot, Token]).parse(parse(yaml, { version: '1.1' }));
  if (document.kind === 'bot') addBot(resources, document.metadata.name, document.spec.roles);
  else resources.tokens.push(tokenFrom(document));
}

/** `tctl bots add NAME --roles=… --token=…`: the token must exist and belong to the bot. */
export function tctlBotsAdd(resources: Resources, name: string, roles: readonly string[], tokenName: string): void {
  const token = resources.tokens.find((one) => one.name === tokenName);
  if (token === undefined) throw new Error(`token with name "${tokenName}" not found`);
  if (!token.roles.includes('Bot')) throw new Error(`token "${tokenName}" is not valid for role "Bot"`);
  if (token.botName !== name) {
    throw new Error(`token "${tokenName}" is valid for bot with name "${token.botName}", not "${name}"`);
  }
  addBot(resources, name, roles);
}

/** Teleport creates a role for the bot, which allows it to impersonate its roles. */
function addBot(resources: Resources, name: string, roles: readonly string[]): void {
  resources.roles.push(role(botUserName(name), { impersonates: roles }));
}

function tokenFrom({ metadata, spec }: z.infer<typeof Token>): JoinToken {
  const { allow, organization_id: organizationId } = spec.circleci;
  return {
    name: metadata.name,
    method: 'circleci',
    roles: spec.roles,
    botName: spec.bot_name,
    organizationId,
    allow: allow.map(({ context_id: contextId, project_id: projectId }) => ({
      ...(projectId === undefined ? {} : { projectId }),
      ...(contextId === undefined ? {} : { contextId }),
    })),
  };
}
