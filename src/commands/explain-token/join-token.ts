/**
 * Reads a join token (`kind: token`). Problems that Teleport rejects have the text of its own error
 * (`api/types/provisioning.go`), but all of them are reported, not only the first.
 */
import type { SourceFile } from '../../config/source.ts';
import { alsoAllows } from '../../join/facts.ts';
import { closestMatch } from '../../schema/values.ts';
import { isMapping, Scalar } from '../../schema/yaml/tree.ts';
import {
  checkApiVersion,
  checkLabels,
  type JoinToken,
  type RuleWithLine,
  type ResourceForm,
  TOKEN,
  TOKEN_OBJECT,
} from './resource.ts';

const METHOD = 'circleci';

/** Adds problems to the findings of the file. */
export function readJoinToken(file: SourceFile, form: ResourceForm): JoinToken | undefined {
  const read = form === 'tctl' ? readTctlToken(file) : readTokenObject(file);
  if (read === undefined) return undefined;
  const { expiresAtMs, invalidKeys, metadata, spec } = read;
  if (metadata.name === undefined && !invalidKeys.has('metadata')) {
    file.findings.addProblem(file.origin('metadata', 'name'), 'missing parameter Name');
  }
  // The problems are in the findings already, and the values cannot be trusted.
  if (invalidKeys.has('spec')) return undefined;
  const joinMethod = spec.join_method ?? (isList(file, 'allow') ? 'ec2' : 'token');
  const roles = spec.roles.map((role) => systemRole(role) ?? role);
  checkRoles(file, roles, spec.bot_name);
  warnAboutName(file, metadata.name ?? '', joinMethod);
  if (joinMethod === METHOD) checkCircleCi(file, spec.circleci);
  else warnAboutMethod(file, joinMethod, spec.join_method === undefined);
  return {
    kind: 'token',
    line: file.origin('kind').line,
    name: safeName(metadata.name ?? '', joinMethod),
    expiresAtMs,
    joinMethod,
    roles,
    botName: spec.bot_name,
    organizationId: spec.circleci.organization_id,
    rules: spec.circleci.allow.map(({ context_id: contextId, project_id: projectId }, at): RuleWithLine => ({
      line: file.origin('spec', 'circleci', 'allow', at).line,
      rule: { projectId, contextId },
    })),
  };
}

function readTctlToken(file: SourceFile) {
  const { value, invalidKeys } = file.decode(TOKEN, 'refuse');
  if (value === undefined) return undefined;
  const { metadata, spec, version } = value;
  checkVersion(file, version);
  checkLabels(file, metadata.labels);
  return { metadata, spec, invalidKeys, expiresAtMs: readExpiry(file, metadata.expires) };
}

function readTokenObject(file: SourceFile) {
  const { value, invalidKeys } = file.decode(TOKEN_OBJECT, 'refuse');
  if (value === undefined) return undefined;
  const { apiVersion, metadata, spec } = value;
  checkApiVersion(file, apiVersion, 'v2');
  return { metadata, spec, invalidKeys, expiresAtMs: undefined };
}

/** Without a version, Teleport reads the oldest form, which has none of the fields checked here. */
function checkVersion(file: SourceFile, version: string | undefined): void {
  if (version === 'v2') return;
  const problem = version === undefined ? 'is missing' : `server resource version ${version} is not supported`;
  file.findings.addProblem(file.origin('version'), `${problem}; write "version: v2"`);
}

function isList(file: SourceFile, key: string): boolean {
  const spec = file.root.get('spec');
  return isMapping(spec) && Array.isArray(spec.get(key));
}

/** RFC 3339, as Go formats times. */
function readExpiry(file: SourceFile, expires: string | undefined): number | undefined {
  if (expires === undefined) return undefined;
  const form = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(?:\.\d+)?(?:Z|[+-]\d{2}:\d{2})$/;
  const timeMs = form.test(expires) ? Date.parse(expires) : NaN;
  if (!Number.isNaN(timeMs)) return timeMs;
  file.findings.addProblem(
    file.origin('metadata', 'expires'),
    `parsing time "${expires}": use a form such as "2030-01-31T00:00:00Z"`,
  );
  return undefined;
}

function checkRoles(file: SourceFile, roles: readonly string[], botName: string | undefined): void {
  const { findings } = file;
  const list = file.origin('spec', 'roles');
  if (roles.length === 0) findings.addProblem(list, 'provisioning token is missing roles; write "roles: [Bot]"');
  for (const [at, role] of roles.entries()) {
    const one = file.origin('spec', 'roles', at);
    if (systemRole(role) === undefined) findings.addProblem(one, `role ${role} is not registered${roleAdvice(role)}`);
    else if (roles.indexOf(role) !== at) findings.addProblem(one, `duplicate role "${role}"`);
    else if (role !== 'Bot' && roles.includes('Bot')) {
      findings.warn(`${one.label}: the token also lets agents join with role ${role}; a bot needs only Bot`);
    }
  }
  const bot = file.origin('spec', 'bot_name');
  if (roles.includes('Bot') && botName === undefined) {
    findings.addProblem(
      bot,
      'token with role "Bot" must set bot_name; write "bot_name: NAME" with the name of the bot',
    );
  }
  if (botName !== undefined && roles.length > 0 && !roles.includes('Bot')) {
    findings.addProblem(bot, 'can only set bot_name on token with role "Bot"');
  }
}

interface CircleCi {
  readonly organization_id: string | undefined;
  readonly allow: readonly { readonly project_id: string | undefined; readonly context_id: string | undefined }[];
}

function checkCircleCi(file: SourceFile, { allow, organization_id: organizationId }: CircleCi): void {
  const { findings } = file;
  const spec = file.root.get('spec');
  const settings = isMapping(spec) ? spec.get(METHOD) : undefined;
  if (settings === undefined || settings instanceof Scalar) {
    const message = `"circleci" configuration must be provided for join method "circleci"`;
    findings.addProblem(file.origin('spec', METHOD), message);
    return;
  }
  if (allow.length === 0) {
    findings.addProblem(
      file.origin('spec', METHOD, 'allow'),
      'the "circleci" join method requires at least one token allow rule',
    );
  }
  const organization = file.origin('spec', METHOD, 'organization_id');
  if (organizationId === undefined) {
    findings.addProblem(organization, `the "circleci" join method requires 'organization_id' to be set`);
  } else warnAboutId(organization.label, 'organization', organizationId);
  for (const [at, { context_id: contextId, project_id: projectId }] of allow.entries()) {
    const rule = ['spec', METHOD, 'allow', at] as const;
    if (projectId === undefined && contextId === undefined) {
      const message = 'allow rule for "circleci" must include at least "project_id" or "context_id"';
      findings.addProblem(file.origin(...rule), message);
    } else if (projectId === undefined || contextId === undefined) {
      const [jobs = ''] = alsoAllows({ projectId, contextId });
      findings.warn(`${file.origin(...rule).label}: this rule allows ${jobs}; set both project_id and context_id`);
    }
    if (projectId !== undefined) warnAboutId(file.origin(...rule, 'project_id').label, 'project', projectId);
    if (contextId !== undefined) warnAboutId(file.origin(...rule, 'context_id').label, 'context', contextId);
  }

  function warnAboutId(label: string, what: 'organization' | 'project' | 'context', id: string): void {
    const advice = idAdvice(what, id);
    if (advice !== undefined) findings.warn(`${label}: ${advice}`);
  }
}

function warnAboutMethod(file: SourceFile, joinMethod: string, isDefault: boolean): void {
  const { label } = file.origin('spec', 'join_method');
  const given = isDefault ? `is missing, which means "${joinMethod}"` : `is "${joinMethod}"`;
  file.findings.warn(`${label}: spec.join_method ${given}; CircleCI jobs need a token with the join method "circleci"`);
}

/** tctl generates such names for the join method `token`: 16 random bytes in hexadecimal. */
const GENERATED_NAME = /^[0-9a-f]{32,}$/i;

function warnAboutName(file: SourceFile, name: string, joinMethod: string): void {
  if (joinMethod === 'token' || !GENERATED_NAME.test(name)) return;
  const { label } = file.origin('metadata', 'name');
  file.findings.warn(
    `${label}: metadata.name looks like the secret of another token; the name of a token with the join method "${joinMethod}" is public`,
  );
}

/** With the join method `token`, the name is a secret. Like Teleport, shows only the last quarter, and only of a long name. */
function safeName(name: string, joinMethod: string): string {
  if (joinMethod !== 'token') return name;
  const hidden = name.length < 16 ? name.length : Math.floor(name.length * 0.75);
  return '*'.repeat(hidden) + name.slice(hidden);
}

/** The roles that a join token can grant: those of Teleport's own services, not of users. */
const SYSTEM_ROLES = [
  ...['Auth', 'Proxy', 'Node', 'App', 'Db', 'Kube', 'WindowsDesktop', 'Bot', 'Discovery', 'MDM', 'Okta', 'Nop'],
  ...['Instance', 'Admin', 'ProvisionToken', 'Signup', 'RemoteProxy', 'Trusted_cluster'],
  ...['AccessPlugin', 'AccessGraphPlugin', 'Assist', 'UpdaterAgent', 'Relay'],
];

/** Other spellings that Teleport accepts. */
const OTHER_NAMES: readonly (readonly [string, string])[] = [
  ['trustedcluster', 'Trusted_cluster'],
  ['remote_proxy', 'RemoteProxy'],
  ['windows_desktop', 'WindowsDesktop'],
];

const BY_LOWER_CASE: ReadonlyMap<string, string> = new Map([
  ...SYSTEM_ROLES.map((role) => [role.toLowerCase(), role] as const),
  ...OTHER_NAMES,
]);

/** The role as Teleport stores it, ignoring case; undefined for an unknown one. */
function systemRole(written: string): string | undefined {
  return BY_LOWER_CASE.get(written.trim().toLowerCase());
}

function roleAdvice(role: string): string {
  const meant = closestMatch(role, SYSTEM_ROLES);
  return meant === undefined
    ? '; use "Bot" here, and set the roles of the bot in the bot resource'
    : `; did you mean "${meant}"?`;
}

const UUID = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

const WHERE = {
  organization: 'app.circleci.com, Organization Settings > Overview',
  project: 'app.circleci.com, Project Settings > Overview',
  context: "app.circleci.com, Organization Settings > Contexts: the last part of the context's URL",
} as const;

/** Why a value is not an ID of CircleCI; undefined for a valid one. */
function idAdvice(what: keyof typeof WHERE, value: string): string | undefined {
  if (UUID.test(value)) return undefined;
  const form = UUID.test(value.trim().toLowerCase())
    ? 'must be in lower case and without spaces, as CircleCI writes it'
    : `is not a CircleCI ID: expected a UUID, not a name or "gh/owner/repository" (${WHERE[what]})`;
  return `${what}_id ${JSON.stringify(value)} ${form}; Teleport's comparison is exact`;
}
