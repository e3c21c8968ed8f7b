/** The cluster's resources: its bots, roles, join tokens, leaf clusters, and what else its roles give access to. */
import type { LabelSelector, Reachable } from './labels.ts';
import type { GenericOidcSpec } from '../generic-oidc/token-spec.ts';
import { accessResources, type AccessResources } from './resources-data.ts';
import { WORKLOAD_IDENTITIES, type WorkloadIdentity } from './workload-identities.ts';

export const CLUSTER_NAME = 'example.teleport.test';
export const LEAF_CLUSTER_NAMES: readonly string[] = ['leaf.example.com'];

export const ORGANIZATION_ID = '7a5f2d9e-5c0b-4f5e-9d0a-2f1b3c4d5e6f';
export const PROJECT_ID = '3d9c1f64-8a27-4b1e-b6f3-90aa12c4d7e8';
export const CONTEXT_ID = 'c0ffee00-1f2e-4d3c-8b5a-697887a6b5c4';

export interface Role {
  readonly name: string;
  readonly logins: readonly string[];
  readonly maxSessionTtlMs: number;
  /** The roles that a holder can impersonate. */
  readonly impersonates: readonly string[];
  /** Labels of the resources that a holder can reach; without a selector, no resource of that kind. */
  readonly reaches: Readonly<Partial<Record<Reachable, LabelSelector>>>;
  /** The users and groups of a holder in Kubernetes. */
  readonly kubernetesUsers: readonly string[];
  readonly kubernetesGroups: readonly string[];
  /** Whether a holder can create host certificates. */
  readonly certifiesHosts: boolean;
  readonly readsNetworkingConfig: boolean;
  /** The databases on a server that a holder can use, and the users. */
  readonly databaseNames: readonly string[];
  readonly databaseUsers: readonly string[];
  /** Labels of the workload identities that a holder can use. */
  readonly workloadIdentityLabels: LabelSelector;
  /** Prefixes of the allowed SPIFFE ID paths, and suffixes of the allowed DNS names. */
  readonly spiffe: readonly { readonly pathPrefix: string; readonly dnsSuffix: string }[];
}

export interface JoinToken {
  readonly name: string;
  readonly method: 'circleci' | 'generic_oidc' | 'github' | 'iam';
  readonly roles: readonly string[];
  readonly botName: string;
  readonly expiresAt?: Date;
  readonly organizationId: string;
  /** A join needs one rule in which every field matches. */
  readonly allow: readonly { readonly projectId?: string; readonly contextId?: string }[];
  /** Of the method `generic_oidc`, for which the two above are empty. */
  readonly genericOidc?: GenericOidcSpec;
}

export interface Resources extends AccessResources {
  readonly roles: Role[];
  readonly tokens: JoinToken[];
  readonly workloadIdentities: readonly WorkloadIdentity[];
}

/** The rules of the token `several-rules`. */
export const SECOND_CONTEXT_ID = 'beefbeef-0000-4000-8000-000000000002';
export const SHARED_CONTEXT_ID = 'beefbeef-0000-4000-8000-000000000003';
export const OTHER_PROJECT_ID = 'dddddddd-0000-4000-8000-000000000001';

export const BOT_NAME = 'ci';
export const JOIN_TOKEN_NAME = 'circleci-bot';
export const MAX_BOT_TTL_MS = 24 * 60 * 60 * 1000;
export const DEFAULT_JOIN_TTL_MS = 60 * 60 * 1000;

const MINUTE_MS = 60 * 1000;
const UNLIMITED_TTL_MS = 30 * 60 * MINUTE_MS;

/** For each bot, Teleport generates a user and a role with this name; the role allows the impersonation. */
export function botUserName(botName: string): string {
  return `bot-${botName}`;
}

/** @param extraLogins Unix users that the role `access` can log in as, in addition to `root` and `ci` */
export function resources(extraLogins: readonly string[]): Resources {
  return {
    roles: roles(extraLogins),
    tokens: [...TOKENS],
    workloadIdentities: WORKLOAD_IDENTITIES,
    ...accessResources(),
  };
}

const ALL: LabelSelector = { '*': ['*'] };
/** Resources with the label `env: restricted` are for administrators. */
const OPEN: LabelSelector = { env: ['dev', 'staging', 'prod'] };

function roles(extraLogins: readonly string[]): Role[] {
  return [
    role('access', {
      logins: [...new Set(['root', 'ci', ...extraLogins])],
      reaches: { node: OPEN, kubernetes: OPEN, database: OPEN, application: OPEN },
      databaseNames: ['*'],
      databaseUsers: ['*'],
      kubernetesUsers: ['ci'],
      kubernetesGroups: ['developers', 'viewers'],
      certifiesHosts: true,
      readsNetworkingConfig: true,
      workloadIdentityLabels: { team: ['ci'] },
      spiffe: [{ pathPrefix: '/ci/', dnsSuffix: '.example.com' }],
    }),
    role('deployer', {
      logins: ['deploy'],
      reaches: { node: { env: ['staging'] }, kubernetes: { env: ['dev'] } },
      kubernetesGroups: ['deployers'],
    }),
    role('loginless', { reaches: { node: OPEN } }),
    role('brief', { logins: ['ci'], maxSessionTtlMs: 10 * MINUTE_MS }),
    role('admin', {
      logins: ['root'],
      reaches: { node: ALL, kubernetes: ALL, database: ALL, application: ALL },
      databaseNames: ['*'],
      databaseUsers: ['*'],
    }),
    role(botUserName(BOT_NAME), { impersonates: ['access', 'deployer'] }),
    role(botUserName('loginless'), { impersonates: ['loginless'] }),
    role(botUserName('short-lived'), { impersonates: ['brief'] }),
    role(botUserName('roleless'), {}),
  ];
}

/** A role that allows only what is given. */
export function role(name: string, fields: Partial<Role>): Role {
  return {
    name,
    logins: [],
    maxSessionTtlMs: UNLIMITED_TTL_MS,
    impersonates: [],
    reaches: {},
    databaseNames: [],
    databaseUsers: [],
    kubernetesUsers: [],
    kubernetesGroups: [],
    certifiesHosts: false,
    readsNetworkingConfig: false,
    workloadIdentityLabels: {},
    spiffe: [],
    ...fields,
  };
}

const circleciToken = (name: string, fields: Partial<JoinToken> = {}): JoinToken => ({
  name,
  method: 'circleci',
  roles: ['Bot'],
  botName: BOT_NAME,
  organizationId: ORGANIZATION_ID,
  allow: [{ projectId: PROJECT_ID, contextId: CONTEXT_ID }],
  ...fields,
});

const TOKENS: readonly JoinToken[] = [
  circleciToken(JOIN_TOKEN_NAME),
  circleciToken('loginless-bot', { botName: 'loginless' }),
  circleciToken('short-lived-bot', { botName: 'short-lived' }),
  circleciToken('roleless-bot', { botName: 'roleless' }),
  circleciToken('expired-token', { expiresAt: new Date('2024-01-01T00:00:00Z') }),
  circleciToken('node-token', { roles: ['Node'] }),
  circleciToken('other-organization', { organizationId: '11111111-2222-4333-8444-555555555555' }),
  circleciToken('several-rules', {
    allow: [
      { projectId: PROJECT_ID, contextId: SECOND_CONTEXT_ID },
      { projectId: OTHER_PROJECT_ID },
      { contextId: SHARED_CONTEXT_ID },
    ],
  }),
  circleciToken('github-bot', { method: 'github', allow: [] }),
  circleciToken('iam-bot', { method: 'iam', allow: [] }),
];
