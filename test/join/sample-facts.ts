/** A job that asks to join with an unremarkable token. */
export const SAMPLE_FACTS = {
  tokenName: 'ci',
  joinMethod: 'circleci' as const,
  organizationId: 'o',
  projectId: 'p',
  contextIds: [],
  proxy: 'proxy.example.com:443',
  audiences: ['o'],
  vcsRef: undefined,
  issuedAtMs: 0,
  expiresAtMs: 3_600_000,
  checkedAtMs: 1000,
};
