/**
 * Reads a join token (`kind: token`). Problems that Teleport rejects have the text of its own error
 * (`api/types/provisioning.go`), but all of them are reported, not only the first.
 */
import type { SourceFile } from '../config/source.ts';
import { closestMatch } from '../schema/values.ts';
import { isMapping, Scalar } from '../schema/yaml/tree.ts';
import {
  checkApiVersion,
  checkLabels,
  type JoinToken,
  type RuleWithLine,
  type ResourceForm,
  TOKEN,
  TOKEN_BLOCK,
  TOKEN_OBJECT,
} from './resource.ts';
import { readGenericOidc } from './read-generic-oidc.ts';

const METHOD = 'circleci';

/** Adds problems to the findings of the file. */
export function readJoinToken(file: SourceFile, form: ResourceForm): JoinToken | undefined {
  const read = form === 'operator' ? readTokenObject(file) : readTctlToken(file, form);
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
  if (joinMethod === METHOD) checkCircleCi(file, spec.circleci);
  return {
    kind: 'token',
    form,
    at: (...path) => file.origin(...path),
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
    genericOidc: joinMethod === 'generic_oidc' ? readGenericOidc(file, spec.generic_oidc, form) : undefined,
  };
}

function readTctlToken(file: SourceFile, form: 'tctl' | 'terraform') {
  const { value, invalidKeys } = file.decode(form === 'tctl' ? TOKEN : TOKEN_BLOCK, 'refuse');
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
  }
  for (const [at, { context_id: contextId, project_id: projectId }] of allow.entries()) {
    if (projectId !== undefined || contextId !== undefined) continue;
    const message = 'allow rule for "circleci" must include at least "project_id" or "context_id"';
    findings.addProblem(file.origin('spec', METHOD, 'allow', at), message);
  }
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
