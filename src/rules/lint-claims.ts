/** Lint rules about the claims that a generic_oidc token compares. */
import { closestMatch } from '../schema/values.ts';
import { CONTEXT_IDS, KNOWN_CLAIMS, PREFIX, PROJECT_ID, SSH_RERUN, VCS_ORIGIN, VCS_REF } from './claim-names.ts';
import { compiledEntries, type Way, waysIn } from './constraints.ts';
import { isJsonObject, type Json, shown, typeOf } from './json.ts';
import { eachUse } from './lint-expressions.ts';
import type { Found, LintRule } from './lint-rule.ts';
import type { JoinToken } from './resource.ts';

const AT = ['spec', 'generic_oidc'] as const;

export const CLAIM_RULES: readonly LintRule[] = [
  {
    id: 'condition-dotted-claim',
    level: 'error',
    help: "A condition names a claim with dots. Teleport splits the attribute at every dot, so it never finds CircleCI's claims, and the entry never matches.",
    check: (token) =>
      eachCondition(token, (attribute, at) =>
        KNOWN_CLAIMS.has(attribute) && attribute.includes('.')
          ? [
              {
                at,
                message: `the attribute ${attribute} is split at its dots, so it names no claim and the entry never matches, not even with not_eq or not_in`,
                hint: `Use must_match_fields, or an expression: contains(set(claims["${attribute}"]), "VALUE").`,
              },
            ]
          : [],
      ),
  },
  {
    id: 'claim-type',
    level: 'error',
    help: 'A rule needs another type than the claim has, such as a quoted false for the boolean ssh-rerun, so it never matches.',
    check: (token) => [...eachField(token, fieldType), ...eachUse(token, useType)],
  },
  {
    id: 'unknown-claim',
    level: 'warning',
    help: 'A rule names a claim that CircleCI does not document, so it may never match.',
    check: (token) => [
      ...eachField(token, (claim, _value, at) => unknownClaim(claim, at)),
      ...eachCondition(token, (claim, at) =>
        claim.startsWith(PREFIX) && KNOWN_CLAIMS.has(claim) ? [] : unknownClaim(claim, at),
      ),
      ...eachUse(token, ({ claim }, at) => unknownClaim(claim, at)),
    ],
  },
  {
    id: 'webhook-claim',
    level: 'note',
    help: 'A rule needs vcs-ref or vcs-origin, which tokens of pipelines triggered by a custom webhook do not have: those jobs are rejected.',
    check: (token) => [...fieldWebhooks(token), ...expressionWebhooks(token)],
  },
  lacks('any-project', PROJECT_ID, 'warning', 'every project of the organization', 'Add oidc.circleci.com/project-id.'),
  lacks(
    'any-branch',
    VCS_REF,
    'warning',
    'every branch and tag',
    'Add oidc.circleci.com/vcs-ref, for example refs/heads/main.',
  ),
  lacks(
    'any-origin',
    VCS_ORIGIN,
    'warning',
    'pull requests from forks, if the project passes secrets to them',
    'Add oidc.circleci.com/vcs-origin, for example github.com/example/app.',
  ),
  lacks(
    'any-rerun',
    SSH_RERUN,
    'warning',
    'jobs that are rerun with SSH, in which a person can use the credentials',
    'Add oidc.circleci.com/ssh-rerun: false to must_match_fields.',
  ),
  lacks(
    'any-context',
    CONTEXT_IDS,
    'note',
    'jobs with any context or none',
    'Add contains_any(set(claims["oidc.circleci.com/context-ids"]), set("ID")) to allow_any.',
  ),
];

/** `sub` contains the project. */
function lacks(id: string, claim: string, level: LintRule['level'], jobs: string, hint: string): LintRule {
  const isCompared = ({ claims }: Way) => claims.has(claim) || (claim === PROJECT_ID && claims.has('sub'));
  return {
    id,
    level,
    help: `A rule of the method generic_oidc does not compare ${claim}: it admits ${jobs}.`,
    check: ({ genericOidc }) => {
      const open = genericOidc === undefined ? [] : waysIn(genericOidc).filter((way) => !isCompared(way));
      const places = new Map(open.map(({ at }) => [at.join('.'), at]));
      return [...places.values()].map((at) => ({ at, message: `${claim} is not compared: this admits ${jobs}`, hint }));
    },
  };
}

function fieldType(claim: string, value: Json, at: Found['at']): readonly Found[] {
  const known = KNOWN_CLAIMS.get(claim);
  if (known === undefined || value === null) return [];
  const type = known.type === 'strings' ? 'list' : known.type;
  if (typeOf(value) === type) return [];
  const hint =
    type === 'list'
      ? `Use an expression: contains_any(set(claims["${claim}"]), set("ID")).`
      : type === 'boolean'
        ? `Write ${claim}: false, without quotes.`
        : `Write a ${type}.`;
  return [{ at, message: `${claim} is a ${type} in CircleCI's tokens, and ${shown(value)} never equals it`, hint }];
}

const TYPES = { string: 'string', boolean: 'bool', number: 'float', strings: 'list' } as const;

function useType(
  { claim, needs }: { readonly claim: string; readonly needs: string },
  at: Found['at'],
): readonly Found[] {
  const known = KNOWN_CLAIMS.get(claim);
  if (known === undefined || known.type === 'number' || needs === 'any' || needs === 'int') return [];
  const type = TYPES[known.type];
  if (type === needs) return [];
  return [
    {
      at,
      message: `claims["${claim}"] is used as ${needs === 'set' ? 'a set' : `a ${needs}`}, but it is a ${type} in CircleCI's tokens: an error at every join`,
      hint:
        needs === 'set' || known.type === 'strings'
          ? `Make a set of it: set(claims["${claim}"]).`
          : known.type === 'boolean'
            ? `Write !claims["${claim}"], or use must_match_fields.`
            : `Compare it with a text: contains(set(claims["${claim}"]), "VALUE").`,
    },
  ];
}

function unknownClaim(claim: string, at: Found['at']): readonly Found[] {
  if (KNOWN_CLAIMS.has(claim)) return [];
  const near =
    closestMatch(claim, [...KNOWN_CLAIMS.keys()]) ?? [...KNOWN_CLAIMS.keys()].find((one) => one === PREFIX + claim);
  return [
    {
      at,
      message: `CircleCI documents no claim ${JSON.stringify(claim)}`,
      hint: near === undefined ? "Compare it with the claims of a job's token." : `Did you mean ${near}?`,
    },
  ];
}

function fieldWebhooks(token: JoinToken): readonly Found[] {
  return eachField(token, (claim, value, at) =>
    KNOWN_CLAIMS.get(claim)?.absentForWebhooks === true && value !== null
      ? [
          {
            at,
            message: `jobs of pipelines that a custom webhook triggers have no ${claim}: they are rejected`,
            hint: 'Nothing to do, unless such jobs must join: create a separate token for them.',
          },
        ]
      : [],
  );
}

/** In an expression, it is an error, and no later entry is tried. */
function expressionWebhooks(token: JoinToken): readonly Found[] {
  const last = (token.genericOidc?.allowAny.length ?? 0) - 1;
  return eachUse(token, ({ claim }, at) => {
    if (KNOWN_CLAIMS.get(claim)?.absentForWebhooks !== true) return [];
    const isLast = at.includes(last);
    return [
      {
        at,
        ...(isLast ? {} : { level: 'warning' as const }),
        message: `jobs of pipelines that a custom webhook triggers have no ${claim}: this expression is an error for them${isLast ? ', so they are rejected' : ', and the entries after it are not tried'}`,
        hint: isLast
          ? 'Nothing to do, unless such jobs must join: create a separate token for them.'
          : 'Put entries for such jobs first.',
      },
    ];
  });
}

function eachField(
  { genericOidc }: JoinToken,
  check: (claim: string, value: Json, at: Found['at']) => readonly Found[],
): readonly Found[] {
  const fields = Object.entries(genericOidc?.writtenFields ?? {});
  return fields.flatMap(([claim, value]) =>
    isJsonObject(value) && !KNOWN_CLAIMS.has(claim) ? [] : check(claim, value, [...AT, 'must_match_fields', claim]),
  );
}

function eachCondition(
  { genericOidc }: JoinToken,
  check: (attribute: string, at: Found['at']) => readonly Found[],
): readonly Found[] {
  if (genericOidc === undefined) return [];
  return compiledEntries(genericOidc).flatMap(({ at, entry }) =>
    'conditions' in entry
      ? entry.conditions.flatMap(({ attribute }, index) => check(attribute, [...at, 'conditions', index]))
      : [],
  );
}
