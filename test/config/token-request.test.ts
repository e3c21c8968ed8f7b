import assert from 'node:assert/strict';
import test from 'node:test';
import type { RunFlags } from '../../src/config/settings.ts';
import { errorOf, faultsOf, planOf } from './plan-of.ts';

const file = (onboarding: string) => `version: v2\nproxy_server: p:1\nonboarding:\n  token: t\n${onboarding}`;
const generic = (...lines: readonly string[]) =>
  file(['  join_method: generic_oidc', '  generic_oidc:', ...lines.map((line) => `    ${line}`), ''].join('\n'));

test('the source of the token is read as tbot reads it', async () => {
  const timeoutMs = 60_000;
  const setting = 'onboarding.generic_oidc.command (tbot.yaml line 7)';
  for (const [lines, source] of [
    [
      ['env: MY_TOKEN', 'timeout: 5s'],
      { kind: 'variable', name: 'MY_TOKEN', setting: setting.replace('command', 'env') },
    ],
    [
      ['command: [sh, -c, echo "$TOKEN"]'],
      { kind: 'command', program: 'sh', args: ['-c', 'echo "$TOKEN"'], timeoutMs, setting },
    ],
    [
      ['command: [/bin/x]', 'timeout: 90s'],
      { kind: 'command', program: '/bin/x', args: [], timeoutMs: 90_000, setting },
    ],
    [['command: [x, 5]', 'timeout: 9h'], { kind: 'command', program: 'x', args: ['5'], timeoutMs: 3_600_000, setting }],
    [['command: []'], undefined],
  ] as const) {
    const { tokenRequest, warnings } = await planOf(generic(...lines));
    assert.deepEqual(tokenRequest, { joinMethod: 'generic_oidc', audience: undefined, source });
    assert.deepEqual(warnings, []);
  }
});

test('method and audience can come from flags, and the method from a join URI', async () => {
  const flags = { joinMethod: 'generic_oidc', audience: 'example.teleport.sh/deploy' };
  const { tokenRequest, warnings } = await planOf(file('  join_method: circleci\n'), { flags });
  assert.deepEqual(tokenRequest, { joinMethod: 'generic_oidc', audience: flags.audience, source: undefined });
  assert.deepEqual(warnings, ['--join-method replaces onboarding.join_method (tbot.yaml line 5)']);
  for (const word of ['generic-oidc', 'genericoidc']) {
    const plan = await planOf(`version: v2\njoin_uri: tbot+proxy+${word}://t@p:1\n`);
    assert.deepEqual([plan.tokenRequest.joinMethod, plan.warnings], ['generic_oidc', []]);
  }
  const { warnings: ofUri } = await planOf('version: v2\njoin_uri: tbot+proxy+generic-oidc://t:s3cret@p:1\n');
  assert.deepEqual(ofUri, ['join_uri (tbot.yaml line 2): the parameter after the name of the token has no effect']);
});

test('what cannot work is reported at once, with path and line', async () => {
  for (const [text, expected] of [
    [
      generic('env: X', 'command: [x]', 'timeout: -1s'),
      [
        'onboarding.generic_oidc.command:8: cannot be set if onboarding.generic_oidc.env (tbot.yaml line 7) is set; keep one of them',
        'onboarding.generic_oidc.timeout:9: must be positive',
      ],
    ],
    [
      generic('env: $X', 'command: ["", a]', 'timeout: 5', 'http_request: {url: "http://x"}'),
      [
        'onboarding.generic_oidc.env:7: must be the name of a variable without "$", such as MY_OIDC_TOKEN',
        'onboarding.generic_oidc.command:8: the first item must be the program to run',
        'onboarding.generic_oidc.timeout:9: cannot unmarshal !!int `5` into time.Duration; write 5m or 5s',
        'onboarding.generic_oidc.http_request:10: is not supported here: use "command", "env" or --audience',
      ],
    ],
    [
      generic('command: [~/bin/token]'),
      [
        'onboarding.generic_oidc.command:7: "~/" is not expanded here: write the absolute path, for example /home/circleci/bin/token',
      ],
    ],
    [
      generic('command: circleci run oidc get'),
      [
        'onboarding.generic_oidc.command:7: cannot unmarshal !!str `circleci run oidc get` into a list; write each item after "- "',
      ],
    ],
  ] as const) {
    assert.deepEqual(await faultsOf(text), expected);
  }
});

test('a token that is given as the name of a variable is not repeated', async () => {
  const secret = 'eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJzIn0.c2lnbmF0dXJl';
  const { message } = await errorOf(generic(`env: ${secret}`));
  assert.doesNotMatch(message, /eyJ/);
});

test('an audience needs generic_oidc, and the sources of generic_oidc have no effect on circleci', async () => {
  const audience = "needs the join method generic_oidc: circleci accepts only the organization's id as the audience";
  for (const flags of [{ audience: 'a' }, { audience: 'a', joinMethod: 'circleci' }] satisfies RunFlags[]) {
    assert.deepEqual(await faultsOf(file(''), { flags }), [
      `--audience: ${audience}; add --join-method generic_oidc, or remove it`,
    ]);
  }
  assert.deepEqual((await planOf(file('  generic_oidc: {env: X}\n'))).warnings, [
    'onboarding.generic_oidc.env (tbot.yaml line 5) has no effect: it is for the join method generic_oidc',
  ]);
  assert.deepEqual(await faultsOf(file(''), { flags: { joinMethod: 'generic-oidc' } }), [
    '--join-method: unrecognized join method: "generic-oidc"; did you mean "generic_oidc"?',
  ]);
});
