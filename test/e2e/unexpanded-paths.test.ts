import assert from 'node:assert/strict';
import { join } from 'node:path';
import test from 'node:test';
import type { Job } from './job.ts';
import { clusterForFile } from './embedded-cluster.ts';
import { listing } from './folder-listing.ts';
import { beginJob } from './job.ts';
import { errorReport } from './refusal.ts';

const cluster = await clusterForFile();
const { joinToken, proxy } = cluster.info;

const HEAD = `version: v2
proxy_server: ${proxy}
onboarding: { join_method: circleci, token: ${joinToken} }
`;

/** Every key of the file that contains a path, by its name in messages, with a file that has PATH there. */
const PLACES: readonly (readonly [place: string, text: string])[] = [
  ['storage.path', `${HEAD}storage: { type: directory, path: 'PATH' }\noutputs: []\n`],
  ['onboarding.ca_path', `version: v2\nproxy_server: ${proxy}\nonboarding: { token: t, ca_path: 'PATH' }\n`],
  ...['kubernetes.token_path', 'bound_keypair.registration_secret_path', 'bound_keypair.static_key_path'].map(
    (key): readonly [string, string] => {
      const [section = '', name = ''] = key.split('.');
      return [
        `onboarding.${key}`,
        `version: v2\nproxy_server: ${proxy}\nonboarding: { token: t, ${section}: { ${name}: 'PATH' } }\n`,
      ];
    },
  ),
  ['onboarding.token', `version: v2\nproxy_server: ${proxy}\nonboarding: { token: 'PATH' }\n`],
  ...(
    [
      ['identity', ''],
      ['application', 'app_name: a'],
      ['database', 'service: s'],
      ['kubernetes', 'kubernetes_cluster: k'],
      ['kubernetes/v2', 'selectors: [{ name: k }]'],
      ['ssh_host', 'principals: [a]'],
      ['spiffe-svid', 'svid: { path: /a }'],
      ['workload-identity-x509', 'selector: { name: w }'],
      ['workload-identity-jwt', 'selector: { name: w }, audiences: [a]'],
      ['ssh-multiplexer', ''],
    ] as const
  ).map(([type, keys]): readonly [string, string] => [
    'services[0].destination.path',
    `${HEAD}services:\n- { type: ${type}, destination: { type: directory, path: 'PATH' }, ${keys} }\n`,
  ]),
  [
    'services[0].proxy_templates_path',
    `${HEAD}services:\n- { type: ssh-multiplexer, destination: { type: directory, path: out }, proxy_templates_path: 'PATH' }\n`,
  ],
  [
    'services[0].listen',
    `${HEAD}services:\n- { type: database-tunnel, listen: 'unix://PATH', service: s, database: d, username: u }\n`,
  ],
  [
    'destinations[0].directory',
    `auth_server: ${proxy}\nonboarding: { token: ${joinToken} }\ndestinations:\n- directory: 'PATH'\n`,
  ],
  [
    'destinations[0].directory.path',
    `auth_server: ${proxy}\nonboarding: { token: ${joinToken} }\ndestinations:\n- directory: { path: 'PATH' }\n`,
  ],
  ['storage.directory', `auth_server: ${proxy}\nonboarding: { token: ${joinToken} }\nstorage: { directory: 'PATH' }\n`],
];

const PATHS = [
  '~/creds',
  '$HOME/creds',
  '${HOME}/creds',
  '$(pwd)/creds',
  '{{ .Values.home }}/creds',
  '<< parameters.x >>',
];

async function assertNothingDone(job: Job, before: unknown): Promise<void> {
  assert.deepEqual(await listing(job.folder), before);
  assert.deepEqual(cluster.records.all, []);
}

for (const [place, text] of PLACES) {
  const [type = ''] = /type: [\w/-]+(?=, destination)/.exec(text) ?? [];
  test(`${place}${type === '' ? '' : ` of ${type}`} is not expanded, but rejected with its line`, async (t) => {
    const job = await beginJob(t, cluster);
    // One run for all of them, which reports one problem each.
    for (const path of PATHS.slice(0, place === 'storage.path' ? PATHS.length : 2)) {
      await job.addFile(
        'tbot.yaml',
        text.replace('PATH', () => path),
      );
      const before = await listing(job.folder);
      const run = await job.run(['run', '-c', 'tbot.yaml']);
      assert.equal(run.exitCode, 2, run.stderr);
      const { code, message } = errorReport(run);
      assert.equal(code, 'CONFIG_INVALID');
      const line = text.split('\n').findIndex((one) => one.includes('PATH')) + 1;
      assert.ok(message.includes(`tbot.yaml line ${line}: ${place}: `), message);
      assert.match(message, / is not expanded here: write /);
      await assertNothingDone(job, before);
    }
  });
}

test('all such paths of flags, variables and the file are rejected together with all other problems', async (t) => {
  const job = await beginJob(t, cluster);
  await job.addFile(
    'tbot.yaml',
    `${HEAD}certificate_ttl: 90\noutputs:\n- { type: identity, destination: { type: directory, path: ~/a } }\n`,
  );
  const before = await listing(job.folder);
  const flags = ['--destination', '$(pwd)/creds', '--storage', 'file:~/s', '--ca-file', '~/ca.pem', '--ca-path', '$CA'];
  const run = await job.run([
    'run',
    '-c',
    'tbot.yaml',
    ...flags,
    '--report',
    '$X/report.html',
    '--token-file',
    '~/t.yaml',
  ]);
  assert.equal(run.exitCode, 2);
  const { message } = errorReport(run);
  for (const place of ['--destination', '--storage', '--ca-file', '--ca-path', '--report', '--token-file']) {
    assert.match(message, new RegExp(`^ {2}${place}: ".+" is not expanded here: write `, 'm'));
  }
  assert.match(message, /line 6: outputs\[0\]\.destination\.path: "~\/" is not expanded here/);
  assert.match(message, /line 4: certificate_ttl: cannot unmarshal/);
  await assertNothingDone(job, before);
});

for (const [what, args, environment, says] of [
  ['--config', ['--config', '$HOME/tbot.yaml'], {}, '--config: "$HOME" is not expanded here: write the path itself'],
  ['TBOT_CONFIG_PATH', [], { TBOT_CONFIG_PATH: '~/tbot.yaml' }, 'TBOT_CONFIG_PATH: "~/" is not expanded here'],
  ['SSL_CERT_FILE', [], { SSL_CERT_FILE: '~/ca.pem' }, 'SSL_CERT_FILE: "~/" is not expanded here'],
  ['TELEPORT_PROXY', [], { TELEPORT_PROXY: '${PROXY}:443' }, 'TELEPORT_PROXY: "${PROXY}" is not expanded here'],
  ['--token', ['--token', '$TOKEN'], {}, '--token: "$TOKEN" is not expanded here: write the value itself'],
  ['--database', ['--database', '${DB}', '--destination', 'x'], {}, '--database: "${DB}" is not expanded here'],
] as const) {
  test(`${what} is not expanded, but rejected`, async (t) => {
    const job = await beginJob(t, cluster);
    const before = await listing(job.folder);
    const run = await job.run(['run', ...args], { environment });
    assert.equal(run.exitCode, 2, run.stderr);
    assert.ok(errorReport(run).message.includes(says), run.stderr);
    await assertNothingDone(job, before);
  });
}

for (const args of [
  ['install-tools', '--tools', 'tsh', '--version', '18.6.0', '--dir', '~/tools'],
  ['install-tools', '--tools', 'tsh', '--version', '18.6.0', '--write-plan', '$X/plan.json'],
  ['install-tools', '--plan', '${X}/plan.json'],
  ['install-tools', '--tools', 'tsh', '--version', '18.6.0', '--ca-file', '~/ca.pem'],
  ['doctor', '--junit', '$X/results.xml'],
  ['explain-token', '~/bot-token.yaml'],
  ['explain-token', 'bot-token.yaml', '--claims', '$(cat claims)'],
  ['init', '--directory', '~/teleport'],
  ['init', '--destination', '~/creds'],
] as const) {
  test(`machine-id ${args.join(' ')} writes and contacts nothing`, async (t) => {
    const job = await beginJob(t, cluster);
    const before = await listing(job.folder);
    const run = await job.run(args);
    assert.equal(run.exitCode, 2, run.stderr);
    const { code, message } = errorReport(run);
    assert.equal(code, 'USAGE_INVALID');
    assert.match(message, / is not expanded here: write /);
    await assertNothingDone(job, before);
  });
}

test('a parameter of the orb expands variables and the home directory, and anything else is rejected', async (t) => {
  const job = await beginJob(t, cluster);
  const step = (destination: string) =>
    job.run(['orb-step', 'join'], {
      environment: {
        MACHINE_ID_PARAM_PROXY: proxy,
        MACHINE_ID_PARAM_TOKEN: joinToken,
        MACHINE_ID_PARAM_CONFIG: '',
        MACHINE_ID_PARAM_DESTINATION: destination,
      },
    });
  const before = await listing(job.folder);
  for (const path of ['$(pwd)/creds', '`pwd`/creds', '~root/creds', '%TEMP%/creds', '{{ home }}/creds', "'~/creds'"]) {
    const run = await step(path);
    assert.equal(run.exitCode, 2, run.stderr);
    assert.match(errorReport(run).message, /^the parameter destination: .* is not expanded here: write /);
    await assertNothingDone(job, before);
  }
  for (const [path, name] of [
    ['~/tilde', 'tilde'],
    ['${HOME}/braces', 'braces'],
    ['$HOME/plain', 'plain'],
  ] as const) {
    const run = await step(path);
    assert.equal(run.exitCode, 0, run.stderr);
    assert.ok((await listing(join(job.folder, name))).has('identity'), path);
  }
});

test('literal characters stay in the names of folders', async (t) => {
  const job = await beginJob(t, cluster);
  for (const name of ['a~b', 'cost$', '100%', '{a}']) {
    const path = join(job.folder, name);
    const run = await job.run([...job.flags.slice(0, -1), path]);
    assert.equal(run.exitCode, 0, run.stderr);
    assert.ok((await listing(path)).has('identity'), name);
  }
});
