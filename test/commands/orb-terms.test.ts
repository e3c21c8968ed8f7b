import assert from 'node:assert/strict';
import { test } from 'node:test';
import { inOrbTerms } from '../../src/commands/orb-terms.ts';

const SENTENCES: readonly (readonly [said: string, inTheOrb: string])[] = [
  ['give --proxy-server HOST:PORT', 'give the parameter proxy'],
  [
    'Or leave the file out and give --proxy-server, --token and --destination.',
    'Or leave the file out and give the parameter proxy, the parameter token and the parameter destination.',
  ],
  ['  - --destination: "~/x" is wrong', '  - the parameter destination: "~/x" is wrong'],
  [
    'switch the exports off with --no-export (orb parameter export_env: false).',
    'switch the exports off with the parameter export_env: false.',
  ],
  ['Or leave out --engine tbot (orb parameter engine).', 'Or leave out the parameter engine.'],
  ['Without --engine tbot, this', 'Without engine: tbot, this'],
  ['gave up after 3 attempts (--deadline 60)', 'gave up after 3 attempts (deadline: 60)'],
  ['--deadline changes the limit.', 'the parameter deadline changes the limit.'],
  ['or switch them off with --no-export', 'or switch them off with export_env: false'],
  ['--destination "$HOME/creds"', 'destination: "$HOME/creds"'],
  [
    '--credential-ttl wins over --certificate-ttl',
    'the parameter credential_ttl wins over the parameter credential_ttl',
  ],
  ['see "doctor --egress"', 'see the command doctor with egress: true'],
  ['run "cleanup --left-over" later', 'run the command cleanup with left_over: true later'],
  ['--proxy-server  identity', 'proxy           identity'],
  ['kubernetes (--kubernetes-cluster)  roles', 'kubernetes (kubernetes_cluster)    roles'],
  [
    'remove them with "cleanup --left-over" (orb parameter left_over)',
    'remove them with the command cleanup with left_over: true',
  ],
  ['remove them with --left-over (orb parameter left_over)', 'remove them with the parameter left_over'],
  // Other programs have flags of the same names.
  ['"tctl bots update ci --add-roles=ROLE"', '"tctl bots update ci --add-roles=ROLE"'],
  ['`tctl auth export --type=user --token x`', '`tctl auth export --type=user --token x`'],
  // No parameter of the orb gives this one.
  ['--certificate-authority is not known', '--certificate-authority is not known'],
  ['a--token and ---token', 'a--token and ---token'],
  ['nothing of the kind', 'nothing of the kind'],
];

for (const [said, inTheOrb] of SENTENCES) {
  test(`in the orb: ${said}`, () => {
    assert.equal(inOrbTerms(said), inTheOrb);
    assert.equal(inOrbTerms(inTheOrb), inTheOrb, 'and stays so');
  });
}
