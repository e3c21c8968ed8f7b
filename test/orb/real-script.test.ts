/** The orb's commands with the script itself and a cluster, in several shells. */
import assert from 'node:assert/strict';
import { copyFile, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { z } from 'zod';
import { clusterForFile } from '../e2e/embedded-cluster.ts';
import { join as joinStep } from './orb-job.ts';
import { BUSYBOX, scene, succeeded, ZSH } from './scene.ts';

const cluster = await clusterForFile();
const { joinToken, proxy, webCa } = cluster.info;
const bundle = await readFile('dist/machine-id.cjs', 'utf8');

for (const [shell, options] of [
  ['/bin/bash -exo pipefail', {}],
  ['/bin/busybox ash -e', BUSYBOX],
  ['/bin/zsh -eo pipefail', ZSH],
] as const) {
  test(`${shell}: a job with a preload joins, installs nothing else, and cleans up`, options, async (t) => {
    const { home, run } = await scene(t);
    await copyFile(webCa, join(home, 'ca.pem'));
    const token = await cluster.mint();
    const given = { config: '', proxy, token: joinToken, destination: '~/id', ca_file: '~/ca.pem' };
    const result = succeeded(
      await run({
        shell,
        bundle,
        environment: { CIRCLE_OIDC_TOKEN: token, NODE_OPTIONS: '-r dd-trace/ci/init' },
        steps: [
          joinStep({ ...given, kubernetes_cluster: 'dev', ssh: true }),
          { 'machine-id/doctor': given },
          { run: 'test -s ~/id/identity' },
          { 'machine-id/cleanup': {} },
          { run: 'test ! -e ~/id/identity' },
        ],
      }),
    );
    const log = result.steps.map(({ stderr, stdout }) => stderr + stdout).join('');
    assert.ok(!log.includes(token));
  });
}

const WRONG: readonly (readonly [what: string, parameters: Readonly<Record<string, unknown>>, message: RegExp])[] = [
  [
    'a command in a path',
    { destination: '$(pwd)/creds' },
    /the parameter destination: "\$\(pwd\)\/" is not expanded here/,
  ],
  ['nothing to write', { destination: '' }, /the parameter destination/],
  ['a database without a user', { database_user: 'ci' }, /the parameter database/],
  ['no such join token', { token: 'nobody' }, /nobody/],
  ['a lifetime without a unit', { credential_ttl: '90' }, /the parameter credential_ttl: "90" is not a duration/],
  ['an authority that is not there', { ca_file: '/nowhere.pem' }, /nowhere\.pem/],
  ['a Proxy that is not there', { proxy: 'localhost:1', deadline: 1 }, /deadline: 1|localhost:1/],
  ['a variable that is not there', { oidc_token: 'NO_TOKEN' }, /NO_TOKEN, which the parameter oidc_token names/],
];

test('messages name the parameters of the orb, not the flags', async (t) => {
  const { run } = await scene(t);
  const token = await cluster.mint();
  for (const [what, parameters, message] of WRONG) {
    const given = { config: '', proxy, token: joinToken, destination: '~/id', ca_file: webCa, ...parameters };
    const environment = { CIRCLE_OIDC_TOKEN: token };
    for (const step of [joinStep(given), { 'machine-id/doctor': given }]) {
      const result = await run({ bundle, environment, steps: [step] });
      const log = result.steps.map(({ stderr, stdout }) => stderr + stdout).join('');
      if ('machine-id/join' in z.record(z.string(), z.unknown()).parse(step)) {
        assert.notEqual(result.exitCode, 0, what);
        assert.match(log, message, what);
      }
      assert.doesNotMatch(log.replaceAll(/"(?:tctl|ssh)[^"]*"/g, ''), /(?<![\w-])--[a-z]/, what);
    }
  }
});
