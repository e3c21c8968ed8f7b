/** What a set-up must know: the flag for it, the question, where to find it, and what a valid answer is. */
import { readGivenAddress } from '../../config/choose.ts';
import type { SupportedOutput } from '../../outputs/output.ts';
import { unexpandedPath } from '../../schema/unexpanded.ts';

interface Field {
  readonly flag: string;
  readonly question: string;
  /** Behind "is missing"; a field without it may be left out. */
  readonly whereToFind?: string;
  /** What is wrong with an answer, ready for a person. */
  readonly check: (text: string) => string | undefined;
}

const UUID = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

/** What Teleport takes in names of its resources; a dash first would be a flag of tctl. */
const RESOURCE_NAME = /^[0-9A-Za-z@_:.+][0-9A-Za-z@_:.+-]*$/;

const FOUND_IN_JOBS = 'Run this in a job of the project, which finds it by itself.';

export const FIELDS: Readonly<Record<FieldName, Field>> = {
  proxy: {
    flag: '--proxy-server',
    question: 'Web address of the Teleport Proxy, host:port',
    whereToFind: 'the address of the web UI of Teleport, with its port: example.teleport.sh:443',
    check: checkAddress,
  },
  organizationId: {
    flag: '--organization-id',
    question: 'Id of the CircleCI organization (Organization Settings, Overview)',
    whereToFind: `Organization Settings, Overview, shows it; in a job it is $CIRCLE_ORGANIZATION_ID. ${FOUND_IN_JOBS}`,
    check: checkUuid,
  },
  projectId: {
    flag: '--project-id',
    question: 'Id of the CircleCI project (Project Settings, Overview)',
    whereToFind: `Project Settings, Overview, shows it; in a job it is $CIRCLE_PROJECT_ID. ${FOUND_IN_JOBS}`,
    check: checkUuid,
  },
  contextId: {
    flag: '--context-id',
    question: 'Id of the context that the jobs will use (Organization Settings, Contexts, end of its URL), or "none"',
    whereToFind:
      "Organization Settings, Contexts: the last part of the URL of the context's own page. With --no-context the rule admits every job of the project.",
    check: checkUuid,
  },
  contextName: { flag: '--context-name', question: 'Name of that context (empty: later)', check: checkPrintable },
  bot: {
    flag: '--bot',
    question: 'Name of the bot in Teleport',
    whereToFind: 'choose one: circleci-deploy',
    check: checkName,
  },
  token: {
    flag: '--token',
    question: 'Name of the join token; not a secret',
    whereToFind: 'choose one: circleci-deploy',
    check: checkName,
  },
  roles: {
    flag: '--roles',
    question: 'Roles of the bot, separated by commas; only what the jobs need',
    whereToFind: '"tctl get roles" lists those of the cluster; give the bot only those that the jobs need',
    check: checkRoles,
  },
  kubernetesCluster: {
    flag: '--kubernetes-cluster',
    question: 'Kubernetes cluster to write a kubeconfig for (empty: none)',
    check: checkPrintable,
  },
  database: { flag: '--database', question: 'Database to write certificates for (empty: none)', check: checkPrintable },
  databaseUser: {
    flag: '--database-user',
    question: 'User to log in to the database as (empty: any)',
    check: checkPrintable,
  },
  databaseName: {
    flag: '--database-name',
    question: 'Name of the database on that server (empty: any)',
    check: checkPrintable,
  },
  application: {
    flag: '--application',
    question: 'Application to write certificates for (empty: none)',
    check: checkPrintable,
  },
  destination: {
    flag: '--destination',
    question: 'Folder in the job for the credentials, outside the checkout',
    whereToFind: 'an absolute path: /home/circleci/.teleport-identity',
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
    : `${JSON.stringify(text)} is not an id such as 11111111-2222-4333-8444-555555555555`;
}

function checkName(text: string): string | undefined {
  if (RESOURCE_NAME.test(text) && text !== '.' && text !== '..') return undefined;
  return `Teleport takes no name ${JSON.stringify(text)}: letters, digits and @ _ : . + - alone, and no dash first`;
}

function checkRoles(text: string): string | undefined {
  const roles = rolesIn(text);
  if (roles.length === 0) return `${JSON.stringify(text)} names no role`;
  return roles.map(checkName).find((problem) => problem !== undefined);
}

/** Control characters, and Unicode's line breaks and marks of direction, cannot be meant. */
function checkPrintable(text: string): string | undefined {
  return /[\p{Cc}\p{Cf}\u2028\u2029]/u.test(text) ? `${JSON.stringify(text)} holds control characters` : undefined;
}

/** The file's paths are taken as they stand, by tbot too. */
function checkDestination(text: string): string | undefined {
  const unexpanded = unexpandedPath(text);
  if (unexpanded !== undefined) return unexpanded;
  return text.startsWith('/') ? checkPrintable(text) : `${JSON.stringify(text)} is not an absolute path`;
}

/** The names in `a, b`, each once. */
export function rolesIn(text: string): readonly string[] {
  const names = text.split(',').map((name) => name.trim());
  return [...new Set(names.filter((name) => name !== ''))];
}

// What somebody has said about the set-up, not yet checked, and who it was.

export interface Answer {
  readonly text: string;
  /** `--project-id`, `CIRCLE_OIDC_TOKEN`, `an answer`. */
  readonly origin: string;
}

export type FieldName =
  | 'proxy'
  | 'organizationId'
  | 'projectId'
  | 'contextId'
  | 'contextName'
  | 'bot'
  | 'token'
  | 'roles'
  | 'kubernetesCluster'
  | 'database'
  | 'databaseUser'
  | 'databaseName'
  | 'application'
  | 'destination';

export interface Answers {
  readonly fields: ReadonlyMap<FieldName, Answer>;
  /** The rule shall name the project alone. */
  readonly withoutContext: boolean;
  /** Those of this job, when nobody has said which of several is meant. */
  readonly contexts: readonly string[];
  /** An identity beside what the other outputs ask for. */
  readonly ssh: boolean;
}

// What the files of a set-up are made from, checked.

export interface Setup {
  /** `host:port`. */
  readonly proxy: string;
  readonly organizationId: Answer;
  readonly projectId: Answer;
  /** Without it the rule admits every job of the project. */
  readonly contextId: Answer | undefined;
  /** As CircleCI's pages show it, when somebody has said it: the OIDC token names contexts by their ids alone. */
  readonly contextName: string | undefined;
  readonly bot: string;
  readonly token: string;
  readonly roles: readonly string[];
  /** As `run` reads them from the flags of the same names. */
  readonly outputs: readonly SupportedOutput[];
}

/** Where the files are for those who read them. */
export interface SetupLocation {
  /** Where they are now, for commands to paste, with a slash at the end: `teleport/`. */
  readonly written: string;
  /** Where they will be in the repository, in the same form. */
  readonly folder: string;
  /** Of the orb. */
  readonly version: string;
}

export interface SetupFile {
  readonly name: 'bot.yaml' | 'bot-token.yaml' | 'tbot.yaml' | 'circleci-config.yml';
  readonly contents: string;
}
