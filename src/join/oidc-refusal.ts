/** A cluster's refusal of the OIDC token itself, by what its verifier says. */
import { utcTime } from '../crypto/validity.ts';
import type { JoinFacts } from './facts.ts';

export interface OidcRefusal {
  readonly likelyCauses: readonly string[];
  readonly hint: string;
}

interface Case {
  /** Texts that differ by version, told apart by what they have in common; in lower case. */
  readonly texts: readonly string[];
  readonly explain: (facts: JoinFacts, text: string) => OidcRefusal;
}

/** In the order of trying: a text may hold words of several. */
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

/** @returns undefined for a refusal of something else */
export function oidcRefusal(serverText: string, facts: JoinFacts): OidcRefusal | undefined {
  const text = serverText.toLowerCase();
  return CASES.find(({ texts }) => texts.some((one) => text.includes(one)))?.explain(facts, text);
}

function discovery(): OidcRefusal {
  return {
    likelyCauses: [
      'the Auth Service may not reach https://oidc.circleci.com: a firewall, or an HTTP proxy that it does not know about',
      'oidc.circleci.com was not available at that moment',
      'spec.circleci.organization_id is no organization of CircleCI',
    ],
    hint: 'Let the machines of the Auth Service reach https://oidc.circleci.com (port 443), and run the job again.',
  };
}

/** Both of Teleport's texts name what was expected first. */
function otherIssuer(
  { organizationId = 'the organization of this job', tokenName }: JoinFacts,
  text: string,
): OidcRefusal {
  const [, expected = ''] = /expected:? "?(https?:\/\/[^\s",]+)/.exec(text) ?? [];
  const organization = /^https:\/\/oidc\.circleci\.com\/org\/([\w-]+)$/.exec(expected)?.[1];
  if (expected !== '' && organization === undefined) {
    return {
      likelyCauses: [`join token "${tokenName}" is of another join method: it wants tokens of ${expected}`],
      hint: `Set spec.join_method: circleci, with spec.circleci, in a token of its own, and name that one: "${tokenName}" stays as it is for those who use it.`,
    };
  }
  return {
    likelyCauses: [
      `join token "${tokenName}" is for ${organization === undefined ? 'another organization' : `organization ${organization}`}, this job is of ${organizationId}`,
      'the organization was written by its name: rules and issuers know its id alone',
    ],
    hint: `Check that spec.circleci.organization_id of join token "${tokenName}" is ${organizationId}: write "organization_id: ${organizationId}".`,
  };
}

function otherAudience({ audiences, organizationId = 'the organization of this job' }: JoinFacts): OidcRefusal {
  return {
    likelyCauses: [
      `the token is for the audience ${audiences.join(', ')}; Teleport wants the organization's id alone`,
      'oidc_token names a token that the job has made for somebody else (circleci run oidc get)',
    ],
    hint: `Use the variable CIRCLE_OIDC_TOKEN as CircleCI sets it, or make a token whose one audience is ${organizationId}.`,
  };
}

function expired({ checkedAtMs, expiresAtMs, issuedAtMs }: JoinFacts): OidcRefusal {
  return {
    likelyCauses: [
      `the clocks differ: by this machine's, ${utcTime(checkedAtMs)}, the token (${utcTime(issuedAtMs)} to ${utcTime(expiresAtMs)}) still held`,
      'the token ended while the join was under way',
    ],
    hint: 'Check that the clocks agree: "doctor" compares them, and NTP sets them. Call run earlier in the job.',
  };
}

function notYetValid({ checkedAtMs, issuedAtMs }: JoinFacts): OidcRefusal {
  return {
    likelyCauses: [
      `the clock of the Auth Service is behind: the token is of ${utcTime(issuedAtMs)}, and this machine has ${utcTime(checkedAtMs)}`,
    ],
    hint: 'Check that the clocks agree: "doctor" compares them, and NTP sets them.',
  };
}

function badSignature(): OidcRefusal {
  return {
    likelyCauses: [
      'the variable was changed on its way, or set by a context, a project setting or a step',
      'the Auth Service still has the old keys of oidc.circleci.com, or another server answers it under that name',
    ],
    hint: 'Use the variable CIRCLE_OIDC_TOKEN as CircleCI sets it, and run the job again.',
  };
}

function unreadable({ tokenName }: JoinFacts): OidcRefusal {
  return {
    likelyCauses: [
      'the variable does not hold the whole token',
      `join token "${tokenName}" is of another join method, which reads other tokens`,
    ],
    hint: `Use the variable CIRCLE_OIDC_TOKEN as CircleCI sets it, and compare spec.join_method in "tctl get token/${tokenName}".`,
  };
}
