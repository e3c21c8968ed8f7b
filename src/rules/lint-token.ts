/** Lint rules about a token as a whole: its name, roles and issuer, and what its join method cannot check. */
import { alsoAllows } from '../join/facts.ts';
import { KNOWN_CLAIMS, PROJECT_ID } from './claim-names.ts';
import { waysIn } from './constraints.ts';
import type { Found, LintRule } from './lint-rule.ts';
import type { GenericOidc, JoinToken } from './resource.ts';

const CIRCLECI = ['spec', 'circleci'] as const;
const GENERIC = ['spec', 'generic_oidc'] as const;

export const TOKEN_RULES: readonly LintRule[] = [
  {
    id: 'secret-name',
    level: 'warning',
    help: 'The name of a token looks like the secret of another token. With the methods checked here, the name is public.',
    check: ({ joinMethod, name }) =>
      joinMethod !== 'token' && GENERATED_NAME.test(name)
        ? [
            {
              at: ['metadata', 'name'],
              message: `metadata.name looks like the secret of another token; the name of a token with the join method "${joinMethod}" is public`,
              hint: 'Choose a name that describes the use.',
            },
          ]
        : [],
  },
  {
    id: 'join-method',
    level: 'note',
    help: 'The join method is not one for CircleCI jobs: circleci or generic_oidc.',
    check: ({ joinMethod }) =>
      ['circleci', 'generic_oidc'].includes(joinMethod)
        ? []
        : [
            {
              at: ['spec', 'join_method'],
              message: `spec.join_method is "${joinMethod}"; CircleCI jobs need a token with the join method "circleci" or "generic_oidc"`,
              hint: 'Create a separate token for CircleCI jobs.',
            },
          ],
  },
  {
    id: 'other-roles',
    level: 'warning',
    help: 'A token for a bot also lets agents join.',
    check: ({ roles }) =>
      roles.includes('Bot')
        ? roles.flatMap((role, index) =>
            role === 'Bot'
              ? []
              : [
                  {
                    at: ['spec', 'roles', index],
                    message: `the token also lets agents join with role ${role}; a bot needs only Bot`,
                    hint: 'Create a separate token for the agents.',
                  },
                ],
          )
        : [],
  },
  {
    id: 'circleci-id',
    level: 'error',
    help: "A value is not an ID of CircleCI: a name, or an ID in upper case, never equals the token's.",
    check: (token) => [...circleciIds(token), ...genericIds(token)],
  },
  {
    id: 'project-only',
    level: 'warning',
    help: 'A rule compares only the project: every job of the project is admitted, on every branch, with any context or none.',
    check: (token) => [...onlyOneId(token, 'projectId'), ...onlyProject(token)],
  },
  {
    id: 'context-only',
    level: 'warning',
    help: 'A rule of the method circleci names only a context: every job of every project that may use the context is admitted.',
    check: (token) => onlyOneId(token, 'contextId'),
  },
  {
    id: 'circleci-limits',
    level: 'note',
    help: 'The method circleci compares project and context only: it cannot exclude branches, tags, forks or reruns.',
    check: ({ joinMethod }) =>
      joinMethod === 'circleci'
        ? [
            {
              at: ['spec', 'join_method'],
              message:
                'the join method circleci admits every branch and tag, reruns with SSH, and forks if the project passes secrets to them; and it accepts the default OIDC token, which every other service of the organization gets too',
              hint: 'With Teleport 18.11 or later, use generic_oidc: "machine-id init --branch main" writes such a token.',
            },
          ]
        : [],
  },
  {
    id: 'audience-is-organization',
    level: 'warning',
    help: "The audience is the ID of the organization: every job's default token has it, and so has every service that a job sends that token to.",
    check: ({ genericOidc }) =>
      genericOidc?.issuer.endsWith(`/org/${genericOidc.audience}`) === true
        ? [
            {
              at: [...GENERIC, 'audience'],
              message:
                "the audience is the ID of the organization, which every job's default token has: anyone who gets such a token can use it here",
              hint: 'Choose an audience for this token alone, such as example.teleport.sh/deploy, and run with --audience.',
            },
          ]
        : [],
  },
  {
    id: 'several-audiences',
    level: 'error',
    help: 'The audience looks like a list: Teleport compares it as one text.',
    check: ({ genericOidc }) =>
      /[,\s]/.test(genericOidc?.audience ?? '')
        ? [
            {
              at: [...GENERIC, 'audience'],
              message:
                'the audience contains a comma or a space; Teleport compares it as one text, and rejects OIDC tokens with several audiences',
              hint: 'Use one audience, and request OIDC tokens for it alone.',
            },
          ]
        : [],
  },
  {
    id: 'issuer',
    level: 'warning',
    help: 'The issuer is not that of a CircleCI organization: https://oidc.circleci.com/org/ID, or https://HOST/org/ID on CircleCI Server.',
    check: ({ genericOidc }) => (genericOidc === undefined ? [] : issuerProblems(genericOidc)),
  },
  {
    id: 'http-issuer',
    level: 'warning',
    help: 'insecure_allow_http_issuer is on: anyone who controls the network can replace the keys of the issuer.',
    check: ({ genericOidc }) =>
      genericOidc?.allowsHttp === true
        ? [
            {
              at: [...GENERIC, 'insecure_allow_http_issuer'],
              message: 'the issuer may be an http URL: anyone who controls the network can replace its keys',
              hint: 'Use https, with tls_ca for a private authority, or static_jwks.',
            },
          ]
        : [],
  },
  {
    id: 'terraform-fields',
    level: 'error',
    help: "A Terraform resource has must_match_fields, which Terraform's provider drops: the token is created without them, and an apply removes them from a token that has them.",
    check: ({ form, genericOidc }) =>
      form === 'terraform' && Object.keys(genericOidc?.writtenFields ?? {}).length > 0
        ? [
            {
              at: [...GENERIC, 'must_match_fields'],
              message:
                "Terraform's provider drops must_match_fields without an error: the token admits more than this file says",
              hint: 'Write the same as an expression: contains(set(claims["oidc.circleci.com/vcs-ref"]), "refs/heads/main").',
            },
          ]
        : [],
  },
];

/** tctl generates such names for the join method `token`: 16 random bytes in hexadecimal. */
const GENERATED_NAME = /^[0-9a-f]{32,}$/i;

const UUID = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

const WHERE = {
  organization_id: 'app.circleci.com, Organization Settings > Overview',
  project_id: 'app.circleci.com, Project Settings > Overview',
  context_id: "app.circleci.com, Organization Settings > Contexts: the last part of the context's URL",
} as const;

function circleciIds({ organizationId, rules }: JoinToken): readonly Found[] {
  return [
    ...idProblems('organization_id', organizationId, [...CIRCLECI, 'organization_id']),
    ...rules.flatMap(({ rule: { contextId, projectId } }, index) => [
      ...idProblems('project_id', projectId, [...CIRCLECI, 'allow', index, 'project_id']),
      ...idProblems('context_id', contextId, [...CIRCLECI, 'allow', index, 'context_id']),
    ]),
  ];
}

function genericIds({ genericOidc }: JoinToken): readonly Found[] {
  const project = genericOidc?.writtenFields[PROJECT_ID];
  return typeof project === 'string'
    ? idProblems('project_id', project, [...GENERIC, 'must_match_fields', PROJECT_ID])
    : [];
}

/** Teleport's comparison is exact. */
function idProblems(key: keyof typeof WHERE, value: string | undefined, at: Found['at']): readonly Found[] {
  if (value === undefined || UUID.test(value)) return [];
  const isOtherForm = UUID.test(value.trim().toLowerCase());
  const form = isOtherForm
    ? 'must be in lower case and without spaces, as CircleCI writes it'
    : 'is not a CircleCI ID: expected a UUID, not a name or "gh/owner/repository"';
  return [
    {
      at,
      message: `${key} ${JSON.stringify(value)} ${form}; Teleport's comparison is exact`,
      hint: isOtherForm ? `Write ${value.trim().toLowerCase()}.` : `Use the ID in ${WHERE[key]}.`,
    },
  ];
}

function onlyOneId({ rules }: JoinToken, which: 'projectId' | 'contextId'): readonly Found[] {
  return rules.flatMap(({ rule }, index) => {
    const other = which === 'projectId' ? rule.contextId : rule.projectId;
    if (rule[which] === undefined || other !== undefined) return [];
    const [jobs = ''] = alsoAllows(rule);
    return [
      {
        at: [...CIRCLECI, 'allow', index],
        message: `this rule allows ${jobs}; set both project_id and context_id`,
        hint: `Add the ${which === 'projectId' ? 'context_id' : 'project_id'}.`,
      },
    ];
  });
}

/** Claims that restrict which jobs of a project are admitted; the others are the same for all of them. */
function onlyProject({ genericOidc }: JoinToken): readonly Found[] {
  if (genericOidc === undefined) return [];
  const ofEveryJob = new Set([PROJECT_ID, 'oidc.circleci.com/org-id', 'iss', 'aud', 'iat', 'exp']);
  const open = waysIn(genericOidc).filter(
    ({ claims }) =>
      claims.has(PROJECT_ID) && [...claims].every((claim) => ofEveryJob.has(claim) || !KNOWN_CLAIMS.has(claim)),
  );
  return open.map(({ at }) => ({
    at,
    message:
      'only the project is compared: every job of the project is admitted, on every branch, with any context or none',
    hint: 'Add oidc.circleci.com/vcs-ref, vcs-origin and ssh-rerun, or a context.',
  }));
}

const ISSUER = /^https?:\/\/[^/]+\/org\/[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

function issuerProblems({ issuer }: GenericOidc): readonly Found[] {
  if (ISSUER.test(issuer)) return [];
  const at = [...GENERIC, 'issuer'];
  const hint = 'Use https://oidc.circleci.com/org/ID with the ID of the organization, without a slash at the end.';
  if (/^https:\/\/oidc\.circleci\.com\/?$/.test(issuer)) {
    const message = `${issuer} is the issuer that tokens of all organizations have with --root-issuer: a rule that does not compare the organization or project admits any CircleCI user`;
    return [{ at, level: 'error', message, hint }];
  }
  return [{ at, message: `${JSON.stringify(issuer)} is not the issuer of a CircleCI organization`, hint }];
}
