/** What an administrator does with tctl: creates bots and join tokens, as resources or in the older way. */
import { parseAllDocuments } from 'yaml';
import { z } from 'zod';
import { botUserName, role, type JoinToken, type Resources } from './data.ts';
import type { Profile } from './profiles.ts';
import { refusedAtCreation } from './teleport-errors.ts';
import { GenericOidcResource, genericOidcSpec } from '../generic-oidc/token-spec.ts';

/** What depends on the version of the cluster. */
type Known = Pick<Profile, 'genericOidc'>;

const Metadata = z.strictObject({
  name: z.string().regex(/^[0-9A-Za-z@_:.\-+]+$/),
  description: z.string().optional(),
  labels: z.record(z.string(), z.string()).optional(),
  namespace: z.string().optional(),
  revision: z.string().optional(),
  id: z.number().optional(),
  expires: z.union([z.iso.datetime({ offset: true }).transform((text) => new Date(text)), z.date()]).optional(),
});

const BotSpec = z.strictObject({
  roles: z.array(z.string()),
  traits: z.array(z.unknown()).nullish(),
  max_session_ttl: z.string().optional(),
});

const CircleCi = z.strictObject({
  organization_id: z.string().default(''),
  allow: z
    .array(z.strictObject({ project_id: z.string().default(''), context_id: z.string().default('') }))
    .nullish()
    .transform((rules) => rules ?? []),
});

const Common = z.object({ roles: z.array(z.string()), join_method: z.string(), bot_name: z.string().default('') });
const TokenSpec = z.strictObject({
  ...Common.shape,
  circleci: CircleCi.nullish(),
  generic_oidc: GenericOidcResource.nullish(),
  suggested_labels: z.unknown().optional(),
});

/** Of a tctl document, or of one for the Kubernetes operator, whose names contain no version. */
const Envelope = z.looseObject({ kind: z.string(), apiVersion: z.string().optional() });
const Resource = z.strictObject({
  kind: z.string(),
  version: z.string().optional(),
  sub_kind: z.string().optional(),
  metadata: Metadata,
  spec: z.unknown().optional(),
  status: z.unknown().optional(),
});

/** The join methods of Teleport whose tokens this cluster does not read. */
const OTHER_METHODS = new Set(
  (
    'token ec2 iam github kubernetes azure gitlab gcp spacelift tpm terraform_cloud bitbucket oracle azure_devops ' +
    'bound_keypair env0'
  ).split(' '),
);

/**
 * `tctl create -f FILE` of YAML or JSON documents, which replace those of the same name; or the documents that the
 * Kubernetes operator applies (`TeleportProvisionToken`, `TeleportBotV1`).
 * @throws TeleportError BadParameter, with Teleport's text if it refuses; documents before the refused one are created
 */
export function tctlCreate(resources: Resources, text: string, known: Known = { genericOidc: true }): void {
  for (const document of parseAllDocuments(text, { version: '1.1' })) {
    const [problem] = document.errors;
    if (problem !== undefined) {
      throw refusedAtCreation(problem.message);
    }
    const content: unknown = document.toJS();
    if (content !== null && content !== undefined) {
      create(resources, content, known);
    }
  }
}

function create(resources: Resources, content: unknown, known: Known): void {
  const { apiVersion, kind, ...rest } = read(Envelope, content);
  const { metadata, spec, version } = read(Resource, { kind, ...rest });
  switch (`${apiVersion ?? ''} ${kind} ${version ?? ''}`.trim()) {
    case 'bot v1':
    case 'bot':
    case 'resources.teleport.dev/v1 TeleportBotV1':
      addBot(resources, metadata.name, read(BotSpec, spec).roles);
      return;
    case 'token v2':
      addToken(resources, tokenFrom(metadata, spec, known));
      return;
    case 'resources.teleport.dev/v2 TeleportProvisionToken':
      addToken(resources, forOperator(tokenFrom(metadata, spec, known)));
      return;
    default:
      throw refusedAtCreation(`creating a ${kind} of version ${String(apiVersion ?? version)} is not supported here`);
  }
}

function read<T>(schema: z.ZodType<T>, content: unknown): T {
  const parsed = schema.safeParse(content);
  if (!parsed.success) {
    throw refusedAtCreation(z.prettifyError(parsed.error));
  }
  return parsed.data;
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
  replace(resources.roles, role(botUserName(name), { impersonates: roles }));
}

function addToken(resources: Resources, token: JoinToken): void {
  replace(resources.tokens, token);
}

function replace<T extends { readonly name: string }>(all: T[], one: T): void {
  const index = all.findIndex(({ name }) => name === one.name);
  all.splice(index === -1 ? all.length : index, index === -1 ? 0 : 1, one);
}

/** The texts are those of api/types/provisioning.go (file 6037622, before generic_oidc). */
function tokenFrom({ expires, name }: z.infer<typeof Metadata>, content: unknown, known: Known): JoinToken {
  const { join_method: method } = read(Common, content);
  if (OTHER_METHODS.has(method)) {
    throw refusedAtCreation(`the embedded cluster does not read tokens of the join method "${method}"`);
  }
  if (method !== 'circleci' && !(method === 'generic_oidc' && known.genericOidc)) {
    throw refusedAtCreation(`unknown join method "${method}"`);
  }
  const { bot_name: botName, circleci, generic_oidc: genericOidc, roles: written } = read(TokenSpec, content);
  const roles = written.map((one) => (one.toLowerCase() === 'bot' ? 'Bot' : one));
  if (roles.includes('Bot') !== (botName !== '')) {
    throw refusedAtCreation(
      botName === '' ? 'token with role "Bot" must set bot_name' : 'can only set bot_name on token with role "Bot"',
    );
  }
  const common = { name, roles, botName, ...(expires === undefined ? {} : { expiresAt: expires }) };
  if (method === 'circleci') {
    return { ...common, method, ...circleciRules(circleci) };
  }
  if (genericOidc === undefined || genericOidc === null) {
    throw refusedAtCreation(`"generic_oidc" configuration must be provided for the join method "generic_oidc"`);
  }
  return { ...common, method, organizationId: '', allow: [], genericOidc: genericOidcSpec(genericOidc) };
}

function circleciRules(
  section: z.infer<typeof CircleCi> | null | undefined,
): Pick<JoinToken, 'organizationId' | 'allow'> {
  if (section === null || section === undefined) {
    throw refusedAtCreation(`"cirleci" configuration must be provided for join method "circleci"`); // Teleport's spelling
  }
  if (section.allow.length === 0) {
    throw refusedAtCreation('the "circleci" join method requires at least one token allow rule');
  }
  if (section.organization_id === '') {
    throw refusedAtCreation(`the "circleci" join method requires 'organization_id' to be set`);
  }
  const allow = section.allow.map(({ context_id: contextId, project_id: projectId }) => {
    if (projectId === '' && contextId === '') {
      throw refusedAtCreation('allow rule for "circleci" must include at least "project_id" or "context_id"');
    }
    return { ...(projectId === '' ? {} : { projectId }), ...(contextId === '' ? {} : { contextId }) };
  });
  return { organizationId: section.organization_id, allow };
}

/** The operator takes only top-level keys of `must_match_fields` (generic-oidc.md, "Token resource"). */
function forOperator(token: JoinToken): JoinToken {
  const nested = Object.entries(token.genericOidc?.mustMatchFields ?? {}).find(
    ([, value]) => typeof value === 'object' && value !== null,
  );
  if (nested !== undefined) {
    throw refusedAtCreation(
      `spec.generic_oidc.must_match_fields.${nested[0]}: the operator does not support nested fields`,
    );
  }
  return token;
}
