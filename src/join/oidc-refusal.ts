/** Explains a cluster's refusal of the OIDC token itself, from the text of its verifier. */
import { utcTime } from '../crypto/validity.ts';
import type { JoinFacts } from './facts.ts';

export interface OidcRefusal {
  readonly likelyCauses: readonly string[];
  readonly hint: string;
}

interface Case {
  /** In lower case: what the texts of all versions have in common. */
  readonly texts: readonly string[];
  readonly explain: (facts: JoinFacts, text: string) => OidcRefusal;
}

/** In the order of trying: a text may match several. */
const CASES: readonly Case[] = [
  { texts: ['discovering oidc document'], explain: discovery },
  { texts: ['issuer does not match', 'issued by a different provider'], explain: otherIssuer },
  { texts: ['audience is not valid', 'expected audience', 'authorized party is not set'], explain: otherAudience },
  { texts: ['token has expired', 'token is expired'], explain: expired },
  { texts: ['issuedat of token is in the future', 'before the nbf (not before) time'], explain: notYetValid },
  {
    texts: ['invalid signature', 'failed to verify signature', 'signature algorithm not supported'],
    explain: badSignature,
  },
  {
    texts: [
      'parsing of request failed',
      'malformed jwt',
      'idtoken is required',
      'idtoken not provided',
      'verifying token',
    ],
    explain: unreadable,
  },
];

/** @returns undefined for any other refusal */
export function oidcRefusal(serverText: string, facts: JoinFacts): OidcRefusal | undefined {
  const text = serverText.toLowerCase();
  return CASES.find(({ texts }) => texts.some((one) => text.includes(one)))?.explain(facts, text);
}

function discovery(): OidcRefusal {
  return {
    likelyCauses: [
      'the Auth Service cannot reach https://oidc.circleci.com, because of a firewall or a missing HTTP proxy setting',
      'oidc.circleci.com was not available at that moment',
      'spec.circleci.organization_id is not an organization of CircleCI',
    ],
    hint: 'Let the machines of the Auth Service reach https://oidc.circleci.com (port 443), and run the job again.',
  };
}

/** Both of Teleport's texts name the expected issuer first. */
function otherIssuer(
  { organizationId = 'the organization of this job', tokenName }: JoinFacts,
  text: string,
): OidcRefusal {
  const [, expected = ''] = /expected:? "?(https?:\/\/[^\s",]+)/.exec(text) ?? [];
  const organization = /^https:\/\/oidc\.circleci\.com\/org\/([\w-]+)$/.exec(expected)?.[1];
  if (expected !== '' && organization === undefined) {
    return {
      likelyCauses: [`join token "${tokenName}" has another join method: it expects tokens from ${expected}`],
      hint: `Create a separate token with spec.join_method: circleci and spec.circleci, and use that one. Leave "${tokenName}" unchanged for its other users.`,
    };
  }
  return {
    likelyCauses: [
      `join token "${tokenName}" is for ${organization === undefined ? 'another organization' : `organization ${organization}`}, this job belongs to ${organizationId}`,
      'the token contains the name of the organization: only its id is valid there',
    ],
    hint: `Check that spec.circleci.organization_id of join token "${tokenName}" is ${organizationId}: write "organization_id: ${organizationId}".`,
  };
}

function otherAudience({ audiences, organizationId = 'the organization of this job' }: JoinFacts): OidcRefusal {
  return {
    likelyCauses: [
      `the token is for the audience ${audiences.join(', ')}; Teleport accepts only the organization's id`,
      'oidc_token names a token that the job created for another service (circleci run oidc get)',
    ],
    hint: `Use the variable CIRCLE_OIDC_TOKEN as CircleCI sets it, or create a token whose only audience is ${organizationId}.`,
  };
}

function expired({ checkedAtMs, expiresAtMs, issuedAtMs }: JoinFacts): OidcRefusal {
  return {
    likelyCauses: [
      `the clocks differ: at ${utcTime(checkedAtMs)} by this machine's clock, the token (${utcTime(issuedAtMs)} to ${utcTime(expiresAtMs)}) was valid`,
      'the token expired during the join',
    ],
    hint: 'Check that the clocks agree: "doctor" compares them, and NTP sets them. Call run earlier in the job.',
  };
}

function notYetValid({ checkedAtMs, issuedAtMs }: JoinFacts): OidcRefusal {
  return {
    likelyCauses: [
      `the clock of the Auth Service is behind: the token was issued at ${utcTime(issuedAtMs)}, and this machine's clock says ${utcTime(checkedAtMs)}`,
    ],
    hint: 'Check that the clocks agree: "doctor" compares them, and NTP sets them.',
  };
}

function badSignature(): OidcRefusal {
  return {
    likelyCauses: [
      'the variable was changed or overwritten by a context, a project setting or a step',
      'the Auth Service has outdated keys of oidc.circleci.com, or reaches another server under that name',
    ],
    hint: 'Use the variable CIRCLE_OIDC_TOKEN as CircleCI sets it, and run the job again.',
  };
}

function unreadable({ tokenName }: JoinFacts): OidcRefusal {
  return {
    likelyCauses: [
      'the variable does not contain the whole token',
      `join token "${tokenName}" has another join method, which expects other tokens`,
    ],
    hint: `Use the variable CIRCLE_OIDC_TOKEN as CircleCI sets it, and compare spec.join_method in "tctl get token/${tokenName}".`,
  };
}
