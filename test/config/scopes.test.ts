import assert from 'node:assert/strict';
import { test } from 'node:test';
import { refuseScopes } from '../../src/config/checks.ts';
import { loadPlan } from '../../src/config/load.ts';
import type { Plan } from '../../src/config/plan.ts';
import type { PlanInputs } from '../../src/config/source.ts';
import { isScopeQualified, mayBeScopeQualified } from '../../src/teleport/names.ts';

const NAMES: readonly (readonly [name: string, qualified: boolean, maybe: boolean])[] = [
  ['/staging::ci', true, true],
  ['/staging/west::ci-token', true, true],
  ['/::ci', true, true],
  ['/a::b::c', true, true],
  ['team::ci', false, true],
  ['ci', false, false],
  ['ci:deploy', false, false],
  ['::ci', false, false],
  ['/staging::', false, false],
  ['/etc/token', false, false],
  ['', false, false],
];

test('a name is scope-qualified if it has a path before and a name after the first "::"', () => {
  assert.deepEqual(
    NAMES.map(([name]) => [name, isScopeQualified(name), mayBeScopeQualified(name)]),
    NAMES,
  );
});

const FILES: Readonly<Record<string, string>> = {
  '/checkout/token': '/prod::ci\n',
  '/odd::path': 'plain\n',
};

function planFrom(inputs: Partial<Pick<PlanInputs, 'flags' | 'environment'>>, file?: string): Promise<Plan> {
  const flags = { proxyServer: 'proxy.example.com:443', destination: 'out', token: 'ci', ...inputs.flags };
  return loadPlan({
    flags: file === undefined ? flags : { ...inputs.flags, config: '/checkout/tbot.yaml' },
    environment: inputs.environment ?? {},
    workingDirectory: '/work',
    readFile: (path) => {
      const text = path === '/checkout/tbot.yaml' ? file : FILES[path];
      return text === undefined ? Promise.reject(new Error('ENOENT')) : Promise.resolve(text);
    },
  });
}

const yaml = (token: string, more = '') =>
  `version: v2\nproxy_server: proxy.example.com:443\nonboarding:\n  token: "${token}"\n${more}outputs: []\n`;

const SCOPED: readonly (readonly [string, () => Promise<Plan>, RegExp])[] = [
  [
    'the file',
    () => planFrom({}, yaml('/staging::ci')),
    /^onboarding\.token \(.*tbot\.yaml line 4\) "\/staging::ci" is/,
  ],
  ['--token', () => planFrom({ flags: { token: '/staging/west::ci' } }), /^--token "\/staging\/west::ci" is the name/],
  [
    'a variable',
    () => planFrom({ flags: { token: '' }, environment: { TELEPORT_BOT_TOKEN: '/::ci' } }),
    /^TELEPORT_BOT_/,
  ],
  [
    'a join URI',
    () => planFrom({ flags: { token: '', joinUri: 'tbot+proxy+circleci://%2Fstaging%3A%3Aci@p.example.com:443' } }),
    /^--join-uri/,
  ],
  ['a token file', () => planFrom({ flags: { token: '/checkout/token' } }), /^--token "\/prod::ci" is the name/],
  [
    'the key scoped',
    () => planFrom({}, yaml('ci', 'scoped: true\n')),
    /^scoped \(.*tbot\.yaml line 5\) asks for a scoped bot/,
  ],
  ['--scoped', () => planFrom({ flags: { scoped: true } }), /^--scoped asks for a scoped bot/],
];

for (const [name, load, message] of SCOPED) {
  test(`a scoped bot asked for by ${name} is refused as wrong input, with what to use instead`, async () => {
    const plan = await load();
    assert.throws(
      () => {
        refuseScopes(plan);
      },
      { code: 'SCOPES_UNSUPPORTED', exitCode: 2, message, hint: /without a scope.*--engine tbot/ },
    );
  });
}

const PLAIN: readonly (readonly [string, () => Promise<Plan>, string])[] = [
  ['scoped: false', () => planFrom({}, yaml('ci', 'scoped: false\n')), 'ci'],
  ['a name with "::" and no path before it', () => planFrom({ flags: { token: 'team::ci' } }), 'team::ci'],
  ['a file whose path holds "::"', () => planFrom({ flags: { token: '/odd::path' } }), 'plain'],
];

for (const [name, load, token] of PLAIN) {
  test(`${name} asks for no scoped bot`, async () => {
    const plan = await load();
    refuseScopes(plan);
    assert.equal(plan.token, token);
  });
}

test('an absolute path without "::" is still a file that must be there', async () => {
  await assert.rejects(planFrom({ flags: { token: '/staging' } }), {
    code: 'CONFIG_INVALID',
    message: /cannot be read/,
  });
});
