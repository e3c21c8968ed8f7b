/**
 * Reads a join token (`kind: token`). The sentences in quotes are those of Teleport's own check
 * (`api/types/provisioning.go`), but all of them at once and not the first alone.
 */
import type { SourceFile } from '../../config/source.ts';
import { alsoAllows } from '../../join/facts.ts';
import { closestMatch } from '../../schema/values.ts';
import { isMapping, Scalar } from '../../schema/yaml/tree.ts';
import {
  checkApiVersion,
  checkLabels,
  type JoinToken,
  type PlacedRule,
  type ResourceForm,
  TOKEN,
  TOKEN_OBJECT,
} from './resource.ts';

const METHOD = 'circleci';

/** What is wrong with it goes into the file's findings. */
export function readJoinToken(file: SourceFile, form: ResourceForm): JoinToken | undefined {
  const read = form === 'tctl' ? readTctlToken(file) : readTokenObject(file);
  if (read === undefined) return undefined;
  const { expiresAtMs, invalidKeys, metadata, spec } = read;
  if (metadata.name === undefined && !invalidKeys.has('metadata')) {
    file.findings.addProblem(file.origin('metadata', 'name'), 'missing parameter Name');
  }
  // Its problems are told, and what it says cannot be trusted.
  if (invalidKeys.has('spec')) return undefined;
  const joinMethod = spec.join_method ?? (isList(file, 'allow') ? 'ec2' : 'token');
  const roles = spec.roles.map((role) => systemRole(role) ?? role);
  checkRoles(file, roles, spec.bot_name);
  warnOfName(file, metadata.name ?? '', joinMethod);
  if (joinMethod === METHOD) checkCircleCi(file, spec.circleci);
  else warnOfMethod(file, joinMethod, spec.join_method === undefined);
  return {
    kind: 'token',
    line: file.origin('kind').line,
    name: safeName(metadata.name ?? '', joinMethod),
    expiresAtMs,
    joinMethod,
    roles,
    botName: spec.bot_name,
    organizationId: spec.circleci.organization_id,
    rules: spec.circleci.allow.map(({ context_id: contextId, project_id: projectId }, at): PlacedRule => ({
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

/** Without a version Teleport reads the oldest form, in which everything that is checked here means nothing. */
function checkVersion(file: SourceFile, version: string | undefined): void {
  if (version === 'v2') return;
  const said = version === undefined ? 'is missing' : `server resource version ${version} is not supported`;
  file.findings.addProblem(file.origin('version'), `${said}; write "version: v2"`);
}

function isList(file: SourceFile, key: string): boolean {
  const spec = file.root.get('spec');
  return isMapping(spec) && Array.isArray(spec.get(key));
}

/** RFC 3339, as Go writes times. */
function readExpiry(file: SourceFile, expires: string | undefined): number | undefined {
  if (expires === undefined) return undefined;
  const form = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(?:\.\d+)?(?:Z|[+-]\d{2}:\d{2})$/;
  const timeMs = form.test(expires) ? Date.parse(expires) : NaN;
  if (!Number.isNaN(timeMs)) return timeMs;
  file.findings.addProblem(
    file.origin('metadata', 'expires'),
    `parsing time "${expires}": write for example "2030-01-31T00:00:00Z"`,
  );
  return undefined;
}

function checkRoles(file: SourceFile, roles: readonly string[], botName: string | undefined): void {
  const { findings } = file;
  const place = file.origin('spec', 'roles');
  if (roles.length === 0) findings.addProblem(place, 'provisioning token is missing roles; write "roles: [Bot]"');
  for (const [at, role] of roles.entries()) {
    const one = file.origin('spec', 'roles', at);
    if (systemRole(role) === undefined) findings.addProblem(one, `role ${role} is not registered${roleAdvice(role)}`);
    else if (roles.indexOf(role) !== at) findings.addProblem(one, `duplicate role "${role}"`);
    else if (role !== 'Bot' && roles.includes('Bot')) {
      findings.warn(`${one.label}: the token lets agents join with role ${role} too; a bot needs Bot alone`);
    }
  }
  const bot = file.origin('spec', 'bot_name');
  if (roles.includes('Bot') && botName === undefined) {
    findings.addProblem(bot, 'token with role "Bot" must set bot_name; write the name of the bot, "bot_name: NAME"');
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
  } else warnOfId(organization.label, 'organization', organizationId);
  for (const [at, { context_id: contextId, project_id: projectId }] of allow.entries()) {
    const rule = ['spec', METHOD, 'allow', at] as const;
    if (projectId === undefined && contextId === undefined) {
      const message = 'allow rule for "circleci" must include at least "project_id" or "context_id"';
      findings.addProblem(file.origin(...rule), message);
    } else if (projectId === undefined || contextId === undefined) {
      const [jobs = ''] = alsoAllows({ projectId, contextId });
      findings.warn(`${file.origin(...rule).label}: this rule admits ${jobs}; name project and context both`);
    }
    if (projectId !== undefined) warnOfId(file.origin(...rule, 'project_id').label, 'project', projectId);
    if (contextId !== undefined) warnOfId(file.origin(...rule, 'context_id').label, 'context', contextId);
  }

  function warnOfId(label: string, what: 'organization' | 'project' | 'context', id: string): void {
    const advice = idAdvice(what, id);
    if (advice !== undefined) findings.warn(`${label}: ${advice}`);
  }
}

function warnOfMethod(file: SourceFile, joinMethod: string, isDefault: boolean): void {
  const { label } = file.origin('spec', 'join_method');
  const given = isDefault ? `is missing, which means "${joinMethod}"` : `is "${joinMethod}"`;
  file.findings.warn(`${label}: spec.join_method ${given}; a job on CircleCI joins with a token of "circleci" alone`);
}

/** tctl makes such a name for a token of the method `token`: 16 random bytes in hexadecimal. */
const GENERATED_NAME = /^[0-9a-f]{32,}$/i;

function warnOfName(file: SourceFile, name: string, joinMethod: string): void {
  if (joinMethod === 'token' || !GENERATED_NAME.test(name)) return;
  const { label } = file.origin('metadata', 'name');
  file.findings.warn(
    `${label}: metadata.name looks like the secret of another token; a token of "${joinMethod}" has a name that everybody may read`,
  );
}

/** With the method `token` the name is the secret; as Teleport does, its last quarter is shown, of a long one. */
function safeName(name: string, joinMethod: string): string {
  if (joinMethod !== 'token') return name;
  const hidden = name.length < 16 ? name.length : Math.floor(name.length * 0.75);
  return '*'.repeat(hidden) + name.slice(hidden);
}

// The roles that a join token may give: those of Teleport's own services, not of users.

const SYSTEM_ROLES = [
  ...['Auth', 'Proxy', 'Node', 'App', 'Db', 'Kube', 'WindowsDesktop', 'Bot', 'Discovery', 'MDM', 'Okta', 'Nop'],
  ...['Instance', 'Admin', 'ProvisionToken', 'Signup', 'RemoteProxy', 'Trusted_cluster'],
  ...['AccessPlugin', 'AccessGraphPlugin', 'Assist', 'UpdaterAgent', 'Relay'],
];

/** Other ways to write them that Teleport takes. */
const OTHER_NAMES: readonly (readonly [string, string])[] = [
  ['trustedcluster', 'Trusted_cluster'],
  ['remote_proxy', 'RemoteProxy'],
  ['windows_desktop', 'WindowsDesktop'],
];

const BY_LOWER_CASE: ReadonlyMap<string, string> = new Map([
  ...SYSTEM_ROLES.map((role) => [role.toLowerCase(), role] as const),
  ...OTHER_NAMES,
]);

/** The role as Teleport stores it, which takes it in any letters; undefined for one that it does not know. */
function systemRole(written: string): string | undefined {
  return BY_LOWER_CASE.get(written.trim().toLowerCase());
}

function roleAdvice(role: string): string {
  const meant = closestMatch(role, SYSTEM_ROLES);
  return meant === undefined
    ? '; here stands "Bot", and the roles of users go into the bot itself'
    : `; did you mean "${meant}"?`;
}

// Tells an id of CircleCI from what people write in its place.

const UUID = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

const WHERE = {
  organization: 'app.circleci.com, Organization Settings > Overview',
  project: 'app.circleci.com, Project Settings > Overview',
  context: "app.circleci.com, Organization Settings > Contexts: the last part of the context's address",
} as const;

/** What to write instead; undefined for what looks like an id. */
function idAdvice(what: keyof typeof WHERE, value: string): string | undefined {
  if (UUID.test(value)) return undefined;
  const form = UUID.test(value.trim().toLowerCase())
    ? 'must be in lower case and without spaces, as CircleCI writes it'
    : `is no id of CircleCI, which is a UUID: not a name and not "gh/owner/repository" (${WHERE[what]})`;
  return `${what}_id ${JSON.stringify(value)} ${form}; Teleport compares it letter by letter`;
}
