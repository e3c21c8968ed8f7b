import assert from 'node:assert/strict';
import test from 'node:test';
import { createMask } from '../../src/effects/secret.ts';
import { obtainFreshToken } from '../../src/job/fresh-token.ts';
import { obtainOidcToken } from '../../src/job/oidc-token.ts';
import type { TokenRequest } from '../../src/job/token-request.ts';
import { type Answer, commandsThat, gives, jwt, NOW_MS, ORGANIZATION } from './oidc-tokens.ts';

const HOUR_MS = 3_600_000;

interface Scene {
  readonly environment?: Readonly<Record<string, string>>;
  readonly answers?: Readonly<Record<string, Answer>>;
  readonly variable?: string;
  readonly request?: TokenRequest;
  /** How long after the first token. */
  readonly laterMs?: number;
}

/** The token of a renewal, and the audiences that the agent was asked for since the first one. */
async function renewed({ answers = {}, environment, laterMs = HOUR_MS / 2, request, variable }: Scene) {
  const asked: string[][] = [];
  let nowMs = NOW_MS;
  const sources = {
    environment: environment ?? { CIRCLE_OIDC_TOKEN: jwt() },
    commands: commandsThat(answers, asked),
    clock: { nowMs: () => nowMs, sleep: () => Promise.resolve() },
    mask: createMask(),
    variable,
    request,
  };
  const first = await obtainOidcToken(sources);
  const before = asked.length;
  nowMs += laterMs;
  const token = await obtainFreshToken(first, sources);
  return {
    token,
    first,
    claims: asked.slice(before).map((args) => args.at(-1)),
    shown: sources.mask.apply(token.jwt.reveal()),
  };
}

function later(change: Record<string, unknown> = {}): string {
  return jwt({ iat: NOW_MS / 1000 + 1800, exp: NOW_MS / 1000 + 5400, ...change });
}

test('a renewal uses a new token from the agent even while the first one is valid', async () => {
  const { claims, shown, token } = await renewed({ answers: { circleci: gives(later()) } });
  assert.deepEqual([token.source, token.origin], ['circleci run oidc get', 'agent']);
  assert.equal(token.jwt.reveal(), later());
  assert.equal(shown, '[masked]');
  assert.equal(claims.at(-1), `{"aud":"${ORGANIZATION}"}`);
});

test('a renewal asks for the audience of the first token, also of one in a named variable', async () => {
  const answers = { circleci: gives(later({ aud: 'teleport' })) };
  const request = { joinMethod: 'generic_oidc', audience: undefined, source: undefined } as const;
  const environment = { MINE: jwt({ aud: 'teleport' }) };
  const { claims, token } = await renewed({ answers, environment, request, variable: 'MINE' });
  assert.equal(token.origin, 'agent');
  assert.equal(claims.at(-1), '{"aud":"teleport"}');
});

test('of several audiences, a renewal asks for the one that Teleport needs', async () => {
  const environment = { CIRCLE_OIDC_TOKEN: jwt({ aud: ['aws', ORGANIZATION], azp: ORGANIZATION }) };
  const { claims } = await renewed({ environment, answers: { circleci: gives(later()) } });
  assert.equal(claims.at(-1), `{"aud":"${ORGANIZATION}"}`);
});

test('without an agent, a renewal uses the first token again while it is valid', async () => {
  const { first, token } = await renewed({});
  assert.equal(token.jwt, first.jwt);
  assert.ok(token.agentRefusals.includes('circleci is not on PATH'));
});

test('a token of another issuer or audience does not renew anything', async () => {
  for (const change of [{ iss: 'https://oidc.circleci.com' }, { aud: 'aws' }, { aud: [ORGANIZATION, 'aws'] }]) {
    const { first, token } = await renewed({ answers: { circleci: gives(later(change)) } });
    assert.equal(token.jwt, first.jwt);
  }
});

test('without an agent, and after the end of the first token, nothing can be renewed', async () => {
  await assert.rejects(renewed({ laterMs: HOUR_MS }), {
    code: 'OIDC_TOKEN_EXPIRED',
    message: /^CircleCI's agent printed no new token, and the first one has expired\ncircleci-agent is not on PATH\n/,
  });
});

test('a configured command is run again for a renewal', async () => {
  const source = { kind: 'command', program: 'mint', args: [], timeoutMs: 1000, setting: 'command' } as const;
  const request = { joinMethod: 'generic_oidc', audience: undefined, source } as const;
  const answers = { mint: [gives(jwt()), gives(later())] };
  const asked = await renewed({ answers, environment: {}, request });
  assert.deepEqual([asked.token.origin, asked.token.jwt.reveal()], ['command', later()]);
});
