import assert from 'node:assert/strict';
import test from 'node:test';
import type { ErrorCode } from '../../src/errors.ts';
import { joinRefusal } from '../../src/join/refusal.ts';

const FACTS = {
  tokenName: 'ci-token',
  joinMethod: 'circleci' as const,
  proxy: 'proxy.example.com:443',
  audiences: ['organization-1'],
  vcsRef: undefined,
  issuedAtMs: 0,
  expiresAtMs: 3_600_000,
  checkedAtMs: 1000,
  organizationId: 'org-1',
  projectId: 'project-1',
  contextIds: ['context-1', 'context-2'],
};

/** What clusters of several versions say, whether it is a refusal, and what it means. */
const REFUSALS: [string, boolean, ErrorCode][] = [
  ['"" can not join the cluster with role "Bot", token expired or not found', true, 'JOIN_TOKEN_UNKNOWN'],
  ['token expired or not found', true, 'JOIN_TOKEN_UNKNOWN'],
  ['id token claims did not match any allow rules', true, 'JOIN_CLAIMS_REFUSED'],
  ['client requested join method circleci, provision token only supports method github', true, 'JOIN_METHOD_MISMATCH'],
  [
    'this token is only valid for the iam join method but the node has connected to the wrong endpoint',
    true,
    'JOIN_METHOD_MISMATCH',
  ],
  ['can not join the cluster, the token does not allow "Bot" role', true, 'JOIN_METHOD_MISMATCH'],
  ['can not join the cluster, the token does not allow role Bot', true, 'JOIN_METHOD_MISMATCH'],
  ['oidc: token is expired (Token Expiry: 2026-11-23)', false, 'JOIN_OIDC_REFUSED'],
  ['oidc: id token issued by a different provider, expected "X" got "Y"', false, 'JOIN_OIDC_REFUSED'],
  ['oidc: expected audience "X" got ["Y"]', false, 'JOIN_OIDC_REFUSED'],
  ['oidc: malformed jwt: compact JWS format must have three parts', false, 'JOIN_OIDC_REFUSED'],
  ['failed to verify signature: fetching keys', false, 'JOIN_OIDC_REFUSED'],
  ['verifying token: token has expired', false, 'JOIN_OIDC_REFUSED'],
  ['verifying token: issuer does not match: Expected: X, got: Y', false, 'JOIN_OIDC_REFUSED'],
  ['verifying token: audience is not valid: Audience must contain client_id "X"', false, 'JOIN_OIDC_REFUSED'],
  ['verifying token: issuedAt of token is in the future', false, 'JOIN_OIDC_REFUSED'],
  ['discovering oidc document: OpenID Provider Configuration Discovery has failed', false, 'JOIN_OIDC_REFUSED'],
  ['IDToken is required', true, 'JOIN_OIDC_REFUSED'],
  ['IDToken not provided for "circleci" join request', true, 'JOIN_OIDC_REFUSED'],
  ['join method "circleci" does not support scoping', true, 'CLUSTER_UNSUPPORTED'],
  ['scoped identities not supported', true, 'CLUSTER_UNSUPPORTED'],
  ['scoped token mode is not supported', true, 'CLUSTER_UNSUPPORTED'],
  ['scope-qualified name "/a::b" has invalid name: name is empty', true, 'CLUSTER_UNSUPPORTED'],
  ['expected non-empty bot_scope for a scoped bot token', true, 'CLUSTER_UNSUPPORTED'],
  ['the telescope is not pointed at the microscope', true, 'JOIN_DENIED'],
  ['"" can not join the cluster with role "Bot", the token is not valid', true, 'JOIN_DENIED'],
  ['client version is unsupported, minimum supported version is 19', true, 'JOIN_DENIED'],
  ['unsupported join method "x" for bot', true, 'JOIN_DENIED'],
  ['something broke', false, 'JOIN_FAILED'],
];

for (const [text, denied, code] of REFUSALS) {
  test(`"${text}" is reported as ${code} with the server's own words`, () => {
    const error = joinRefusal(text, denied, FACTS);
    assert.equal(error.code, code);
    assert.ok(error.message.includes(text));
    assert.equal(error.exitCode, 1);
  });
}

test('claims that match no rule are answered with the rule that would match', () => {
  const { message, hint } = joinRefusal('id token claims did not match any allow rules', true, FACTS);
  assert.match(message, /project project-1, the contexts context-1, context-2/);
  assert.match(hint, /project_id: project-1, context_id: context-1/);
});

test('a job without a context is reported', () => {
  const facts = { ...FACTS, contextIds: [] };
  const { message, hint } = joinRefusal('id token claims did not match any allow rules', true, facts);
  assert.match(message, /no context/);
  assert.doesNotMatch(hint, /context_id/);
});

test('a name that holds the separator of scopes is the most likely cause where the token is not found', () => {
  const facts = { ...FACTS, tokenName: 'team::ci' };
  const { code, likelyCauses } = joinRefusal('token expired or not found', true, facts);
  assert.equal(code, 'JOIN_TOKEN_UNKNOWN');
  assert.match(likelyCauses[0] ?? '', /"::".*<scope>::<name>/);
});

test('the word scope in the name of a token does not mean that scopes are unsupported', () => {
  const facts = { ...FACTS, tokenName: 'scoped-token' };
  assert.equal(joinRefusal('token scoped-token is odd', true, facts).code, 'JOIN_DENIED');
});

test('a server cannot write control characters into a log', () => {
  const { message } = joinRefusal('a\u001b[2Jb\nerror: forged', false, FACTS);
  assert.ok(message.endsWith('a [2Jb error: forged'), message);
});
