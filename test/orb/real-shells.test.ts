/** The orb's commands in shells that people have, with and without traces. */
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { join as joinStep, stderrOf } from './orb-job.ts';
import { BUSYBOX, JOIN, scene, succeeded, ZSH } from './scene.ts';
import { callIn } from './stand-in.ts';

describe('shells', () => {
  for (const [shell, options] of [
    ['/bin/zsh -eo pipefail', ZSH],
    ['/bin/zsh -exo pipefail', ZSH],
    ['/bin/busybox ash -eo pipefail', BUSYBOX],
    ['/bin/busybox ash -ex', BUSYBOX],
    ['/bin/dash -e', {}],
    ['/bin/sh -ex', {}],
    ['/bin/bash --login -eo pipefail', {}],
    ['/bin/bash -exuCo pipefail', {}],
    ['/bin/bash --posix -e', {}],
  ] as const) {
    test(`${shell} runs every command, and shows no token`, options, async (t) => {
      const { run } = await scene(t);
      const environment = { OTHER: 'the-token-itself', CIRCLE_OIDC_TOKEN: 'the-token-of-circleci' };
      const steps = [
        joinStep({ config: '', proxy: '$PLACE', token: 't', destination: '~/d', oidc_token: 'OTHER' }),
        { 'machine-id/doctor': { oidc_token: 'OTHER' } },
        { 'machine-id/install_tools': { cache: false } },
        { 'machine-id/cleanup': {} },
      ];
      const result = succeeded(await run({ shell, environment: { ...environment, PLACE: 'p:443' }, steps }));
      assert.equal(result.steps.filter(({ stdout }) => callIn(stdout) !== undefined).length, 5);
      const log = result.steps.map(({ stderr }) => stderr).join('');
      assert.doesNotMatch(log, /the-token/);
    });
  }

  test('zsh prints no errors about patterns without matches, and keeps PATH', ZSH, async (t) => {
    const { home, run } = await scene(t);
    const result = await run({
      shell: '/bin/zsh -eo pipefail',
      environment: { NVM_DIR: join(home, 'none') },
      steps: [JOIN],
    });
    succeeded(result);
    assert.doesNotMatch(stderrOf(result), /no matches found|command not found/);
  });
});

describe('variables that earlier commands have exported', () => {
  const EXPORTS = [
    `export TELEPORT_PROXY='p.example.com:443'`,
    `export MACHINE_ID_DESTINATION='/it'\\''s here'`,
    `export OTHER='of the user'`,
    `touch pwned`,
    `case ":\${PATH-}:" in *:'/opt/tools':*) ;; *) export PATH='/opt/tools'"\${PATH:+:}\${PATH-}" ;; esac`,
  ].join('\n');

  for (const [shell, options] of [
    ['/bin/dash -e', {}],
    ['/bin/busybox ash -e', BUSYBOX],
    ['/bin/zsh -e', ZSH],
    ['/bin/bash --posix -e', {}],
  ] as const) {
    test(
      `the orb's own commands find the exports even if the shell (${shell}) does not read them`,
      options,
      async (t) => {
        const { home, run } = await scene(t);
        const tell = `cat >"$BASH_ENV" \\<<'END'\n${EXPORTS}\nEND\n`;
        const result = succeeded(await run({ shell, steps: [{ run: tell }, JOIN] }));
        const call = callIn(result.steps.at(-1)?.stdout ?? '');
        assert.equal(call?.proxy, 'p.example.com:443');
        await assert.rejects(readFile(join(home, 'project/pwned')), { code: 'ENOENT' });
      },
    );
  }
});

test('a variable with an empty value can be missing', async (t) => {
  const { run } = await scene(t);
  const steps = [joinStep({ config: '', token: 't' }), { 'machine-id/doctor': { config: '', proxy: 'p:443' } }];
  const [kept, dropped] = await Promise.all([run({ steps }), run({ steps, emptyVariables: 'dropped' })]);
  assert.deepEqual(
    succeeded(kept).steps.map(({ stdout }) => stdout),
    succeeded(dropped).steps.map(({ stdout }) => stdout),
  );
});
