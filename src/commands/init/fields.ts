/** The fields of a setup: the flag, the question, where to find the value, and what a valid value is. */
import { readGivenAddress } from '../../config/choose.ts';
import { unexpandedPath } from '../../schema/unexpanded.ts';

export type FieldName =
  | 'proxy'
  | 'organizationId'
  | 'projectId'
  | 'contextId'
  | 'contextName'
  | 'issuer'
  | 'branches'
  | 'tags'
  | 'vcsOrigin'
  | 'audience'
  | 'bot'
  | 'token'
  | 'roles'
  | 'kubernetesCluster'
  | 'database'
  | 'databaseUser'
  | 'databaseName'
  | 'application'
  | 'destination';

interface Field {
  readonly flag: string;
  readonly question: string;
  /** Printed after "is missing"; undefined for an optional field. */
  readonly whereToFind?: string;
  /** @returns the problem with an answer, as a message for the user */
  readonly check: (text: string) => string | undefined;
}

const UUID = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

/** The resource names that Teleport accepts; a leading dash would be a flag of tctl. */
const RESOURCE_NAME = /^[0-9A-Za-z@_:.+][0-9A-Za-z@_:.+-]*$/;

export const FOUND_IN_JOBS = 'In a job of the project, init finds it by itself.';

export const FIELDS: Readonly<Record<FieldName, Field>> = {
  proxy: {
    flag: '--proxy-server',
    question: 'Web address of the Teleport Proxy, host:port',
    whereToFind: 'use the address of the Teleport web UI, with its port, for example example.teleport.sh:443',
    check: checkAddress,
  },
  organizationId: {
    flag: '--organization-id',
    question: 'ID of the CircleCI organization (Organization Settings > Overview)',
    whereToFind: `see Organization Settings > Overview, or $CIRCLE_ORGANIZATION_ID in a job. ${FOUND_IN_JOBS}`,
    check: checkUuid,
  },
  projectId: {
    flag: '--project-id',
    question: 'ID of the CircleCI project (Project Settings > Overview)',
    whereToFind: `see Project Settings > Overview, or $CIRCLE_PROJECT_ID in a job. ${FOUND_IN_JOBS}`,
    check: checkUuid,
  },
  contextId: {
    flag: '--context-id',
    question:
      'ID of the context that the jobs will use (Organization Settings > Contexts, last part of its URL), or "none"',
    whereToFind:
      "see Organization Settings > Contexts: the ID is the last part of the URL of the context's page. With --no-context, the rule does not compare contexts.",
    check: (text) => firstProblem(namesIn(text), checkUuid),
  },
  contextName: {
    flag: '--context-name',
    question: 'Name of that context (empty to fill in later)',
    check: checkPrintable,
  },
  issuer: {
    flag: '--issuer',
    question: 'Issuer of the OIDC tokens (empty for CircleCI Cloud)',
    check: checkIssuer,
  },
  branches: {
    flag: '--branch',
    question:
      'Branches that may deploy, separated by commas, * for any text (empty for every branch; others need Teleport 18.11 or later)',
    check: checkRefs,
  },
  tags: {
    flag: '--tag',
    question: 'Tags that may deploy, separated by commas, * for any text (empty for none)',
    check: checkRefs,
  },
  vcsOrigin: {
    flag: '--vcs-origin',
    question: 'Repository, without https://, such as github.com/example/app',
    check: checkOrigin,
  },
  audience: {
    flag: '--audience',
    question: 'Audience of the OIDC token',
    check: checkAudience,
  },
  bot: {
    flag: '--bot',
    question: 'Name of the bot in Teleport',
    whereToFind: 'choose a name, for example circleci-deploy',
    check: checkName,
  },
  token: {
    flag: '--token',
    question: 'Name of the join token (not a secret)',
    whereToFind: 'choose a name, for example circleci-deploy',
    check: checkName,
  },
  roles: {
    flag: '--roles',
    question: 'Roles of the bot, separated by commas (only what the jobs need)',
    whereToFind: '"tctl get roles" lists the roles of the cluster; give the bot only the roles that the jobs need',
    check: checkRoles,
  },
  kubernetesCluster: {
    flag: '--kubernetes-cluster',
    question: 'Kubernetes cluster to write a kubeconfig for (empty for none)',
    check: checkPrintable,
  },
  database: {
    flag: '--database',
    question: 'Database to write certificates for (empty for none)',
    check: checkPrintable,
  },
  databaseUser: {
    flag: '--database-user',
    question: 'User to log in to the database as (empty for any)',
    check: checkPrintable,
  },
  databaseName: {
    flag: '--database-name',
    question: 'Name of the database on that server (empty for any)',
    check: checkPrintable,
  },
  application: {
    flag: '--application',
    question: 'Application to write certificates for (empty for none)',
    check: checkPrintable,
  },
  destination: {
    flag: '--destination',
    question: 'Directory in the job for the credentials, outside the checkout',
    whereToFind: 'use an absolute path, for example /home/circleci/.teleport-identity',
    check: checkDestination,
  },
};

export const FIELD_NAMES: readonly FieldName[] = Object.keys(FIELDS).filter(
  (name): name is FieldName => name in FIELDS,
);

function checkAddress(text: string): string | undefined {
  const address = readGivenAddress(text);
  return typeof address === 'string' ? address : undefined;
}

function checkUuid(text: string): string | undefined {
  return UUID.test(text)
    ? undefined
    : `${JSON.stringify(text)} is not an ID such as 11111111-2222-4333-8444-555555555555`;
}

function checkName(text: string): string | undefined {
  if (RESOURCE_NAME.test(text) && text !== '.' && text !== '..') return undefined;
  return `${JSON.stringify(text)} is not a valid name: use only letters, digits and @ _ : . + -, and no leading dash`;
}

function checkRoles(text: string): string | undefined {
  const roles = namesIn(text);
  if (roles.length === 0) return `${JSON.stringify(text)} contains no role`;
  return roles.map(checkName).find((problem) => problem !== undefined);
}

/** Rejects control characters, Unicode line breaks and direction marks, which are never intended. */
function checkPrintable(text: string): string | undefined {
  return /[\p{Cc}\p{Cf}\u2028\u2029]/u.test(text) ? `${JSON.stringify(text)} contains control characters` : undefined;
}

/** Neither this program nor tbot expands variables or `~` in the paths of the file. */
function checkDestination(text: string): string | undefined {
  const unexpanded = unexpandedPath(text);
  if (unexpanded !== undefined) return unexpanded;
  return text.startsWith('/') ? checkPrintable(text) : `${JSON.stringify(text)} is not an absolute path`;
}

function firstProblem(texts: readonly string[], check: (text: string) => string | undefined): string | undefined {
  return texts.length === 0 ? check('') : texts.map(check).find((problem) => problem !== undefined);
}

/** CircleCI Cloud or Server. */
function checkIssuer(text: string): string | undefined {
  return /^https:\/\/[\w.-]+(?::\d+)?\/org\/[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/.test(text)
    ? undefined
    : `${JSON.stringify(text)} is not the issuer of an organization, such as https://circleci.example.com/org/ID`;
}

/** Names of git references: https://git-scm.com/docs/git-check-ref-format. Here, `*` stands for any text. */
function checkRefs(text: string): string | undefined {
  return firstProblem(namesIn(text), (name) =>
    name === '' || /[\s\p{Cc}\p{Cf}~^:?[\]\\"'`]|\.\.|@\{|^[/-]|\/$/u.test(name)
      ? `${JSON.stringify(name)} is not the name of a branch or tag, such as main or release/*`
      : undefined,
  );
}

function checkOrigin(text: string): string | undefined {
  return /^[\w.-]+(?:\/[\w.~-]+)+$/.test(text)
    ? undefined
    : `${JSON.stringify(text)} is not the claim oidc.circleci.com/vcs-origin: it has no scheme, such as github.com/example/app`;
}

function checkAudience(text: string): string | undefined {
  return text === '' || /[\s,\p{Cc}\p{Cf}]/u.test(text)
    ? `${JSON.stringify(text)} must be one audience, without spaces and commas`
    : undefined;
}

/** The distinct names in `a, b`. */
export function namesIn(text: string): readonly string[] {
  const names = text.split(',').map((name) => name.trim());
  return [...new Set(names.filter((name) => name !== ''))];
}
