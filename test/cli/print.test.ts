import assert from 'node:assert/strict';
import test from 'node:test';
import { z } from 'zod';
import { errorReport, table } from '../../src/cli/print.ts';
import { exportedVariables, exportWarnings, VARIABLES } from '../../src/commands/exports.ts';
import { resultJson, summaryText } from '../../src/commands/run-result.ts';
import { PLAIN } from '../../src/effects/terminal.ts';
import { asMachineIdError, MachineIdError } from '../../src/errors.ts';
import type { RunResult } from '../../src/outputs/result.ts';
import { failureOfOutputs } from '../../src/outputs/produce.ts';

const EXPIRES_AT_MS = Date.UTC(2026, 10, 23, 12, 0, 0);

const BRIEF = { style: PLAIN, debug: false };

const RESULT: RunResult = {
  proxy: 'example.teleport.sh:443',
  cluster: 'example.teleport.sh',
  clusterVersion: '18.2.4',
  bot: 'ci',
  joinMethod: 'circleci',
  engine: 'native',
  joinPath: 'legacy',
  outputs: [
    {
      path: 'outputs[0]',
      type: 'identity',
      destination: 'memory',
      files: [],
      roles: ['access'],
      expiresAtMs: EXPIRES_AT_MS,
      notices: [],
    },
    {
      path: 'outputs[1]',
      type: 'identity',
      destination: '/home/ci/out',
      files: ['key', 'identity'],
      roles: ['access', 'deployer'],
      logins: ['ci', 'root'],
      expiresAtMs: EXPIRES_AT_MS,
      notices: ['the cluster shortened the lifetime'],
    },
  ],
  failures: [],
  exported: ['TELEPORT_PROXY', 'KUBECONFIG'],
  timingsMs: { join: 40, total: 90 },
  spans: [{ kind: 'cluster', name: 'Join', startMs: 3, endMs: 40, outcome: 'done' }],
};

test('the JSON object has the documented keys and nothing else', () => {
  const text = resultJson(RESULT);
  assert.ok(text.endsWith('}\n') && !text.slice(0, -1).includes('\n'));
  assert.deepEqual(JSON.parse(text), {
    cluster: 'example.teleport.sh',
    clusterVersion: '18.2.4',
    bot: 'ci',
    engine: 'native',
    joinMethod: 'circleci',
    joinPath: 'legacy',
    outputs: [
      {
        path: 'outputs[0]',
        type: 'identity',
        destination: 'memory',
        files: [],
        roles: ['access'],
        expiresAt: '2026-11-23T12:00:00Z',
      },
      {
        path: 'outputs[1]',
        type: 'identity',
        destination: '/home/ci/out',
        files: ['key', 'identity'],
        roles: ['access', 'deployer'],
        logins: ['ci', 'root'],
        expiresAt: '2026-11-23T12:00:00Z',
        notices: ['the cluster shortened the lifetime'],
      },
    ],
    timingsMs: { join: 40, total: 90 },
    spans: [{ name: 'Join', kind: 'cluster', startMs: 3, endMs: 40 }],
  });
});

test('the summary names cluster, bot, roles, logins, number of files, expiry, notices, exports and the total time', () => {
  const text = summaryText(RESULT, BRIEF);
  for (const part of [
    'example.teleport.sh (Teleport 18.2.4)',
    'outputs[1]  identity',
    '/home/ci/out (2 files)',
    'roles access, deployer; logins ci, root',
    '2026-11-23T12:00:00Z',
    'the cluster shortened the lifetime',
    'TELEPORT_PROXY, KUBECONFIG',
    '90 ms',
  ]) {
    assert.ok(text.includes(part), part);
  }
});

test('the names of files are for debugging', () => {
  assert.doesNotMatch(summaryText(RESULT, BRIEF), /key, identity/);
  assert.match(summaryText(RESULT, { style: PLAIN, debug: true }), /\n {4}files: key, identity\n/);
});

const FAILURES: RunResult['failures'] = [2, 3].map((at) => ({
  path: `outputs[${at}]`,
  line: at + 10,
  type: 'identity',
  error: new MachineIdError('ROLE_DENIED', `outputs[${at}].roles: role ${at} is not found`, { hint: `fix role ${at}` }),
}));

test('a run of which outputs failed shows what was written, and each failure with its place and hint', () => {
  const result = { ...RESULT, failures: FAILURES };
  const summary = summaryText(result, BRIEF);
  assert.match(summary, /^Wrote 2 of 4 outputs for /m);
  assert.match(summary, /note: the cluster shortened the lifetime/);
  const failure = failureOfOutputs(result);
  assert.ok(failure !== undefined);
  assert.equal(
    errorReport(failure, { debug: false, style: PLAIN }),
    [
      'error: 2 of 4 outputs failed',
      '  - outputs[2] (line 12): ROLE_DENIED: roles: role 2 is not found',
      '    hint: fix role 2',
      '  - outputs[3] (line 13): ROLE_DENIED: roles: role 3 is not found',
      '    hint: fix role 3',
      'hint: Fix each of these outputs as described below it.',
      'code: OUTPUTS_FAILED',
      '',
    ].join('\n'),
  );
  const Failures = z.object({ failures: z.array(z.object({ path: z.string(), line: z.int(), hint: z.string() })) });
  assert.deepEqual(Failures.parse(JSON.parse(resultJson(result))).failures, [
    { path: 'outputs[2]', line: 12, hint: 'fix role 2' },
    { path: 'outputs[3]', line: 13, hint: 'fix role 3' },
  ]);
});

test('one output that failed keeps its code, and its message begins with its place', () => {
  const failure = failureOfOutputs({ outputs: [], failures: FAILURES.slice(0, 1) });
  assert.equal(failure?.code, 'ROLE_DENIED');
  assert.equal(failure.message, 'outputs[2] (line 12): roles: role 2 is not found');
  const [first] = FAILURES;
  assert.ok(first !== undefined);
  const error = new MachineIdError('TIMEOUT', 'no answer came', { hint: 'try again' });
  const byFlag = failureOfOutputs({ outputs: [], failures: [{ ...first, path: '--ssh', line: undefined, error }] });
  assert.equal(byFlag?.message, '--ssh: no answer came');
});

test('a run without outputs says that nothing was written', () => {
  assert.match(summaryText({ ...RESULT, outputs: [] }, BRIEF), /nothing was written/);
});

test('later steps get the first output that is on disk', () => {
  assert.deepEqual(Object.fromEntries(exportedVariables(RESULT, 'linux')), {
    TELEPORT_PROXY: 'example.teleport.sh:443',
    TELEPORT_AUTH_SERVER: 'example.teleport.sh:443',
    TELEPORT_CLUSTER: 'example.teleport.sh',
    TELEPORT_IDENTITY_FILE: '/home/ci/out/identity',
    TF_TELEPORT_ADDR: 'example.teleport.sh:443',
    TF_TELEPORT_IDENTITY_FILE_PATH: '/home/ci/out/identity',
    MACHINE_ID_DESTINATION: '/home/ci/out',
    MACHINE_ID_EXPIRES_AT: '2026-11-23T12:00:00Z',
  });
});

test('a kubeconfig is exported for kubectl, and an identity for the whole cluster before one for Kubernetes', () => {
  const [, identity] = RESULT.outputs;
  assert.ok(identity !== undefined);
  const files = ['identity', 'kubeconfig.yaml'];
  const kubernetes = { ...identity, type: 'kubernetes', destination: '/home/ci/kube', files };
  const variables = exportedVariables({ ...RESULT, outputs: [kubernetes, identity] }, 'linux');
  assert.equal(variables.get('KUBECONFIG'), '/home/ci/kube/kubeconfig.yaml');
  assert.equal(variables.get('TELEPORT_IDENTITY_FILE'), '/home/ci/out/identity');
  const alone = exportedVariables({ ...RESULT, outputs: [kubernetes] }, 'linux');
  assert.equal(alone.get('TELEPORT_IDENTITY_FILE'), '/home/ci/kube/identity');
});

test('KUBECONFIG lists every kubeconfig in the order of the outputs, as the platform separates paths', () => {
  const [, identity] = RESULT.outputs;
  assert.ok(identity !== undefined);
  const kube = (name: string, user: string) => ({
    ...identity,
    path: name,
    type: 'kubernetes/v2',
    destination: `/home/ci/${name}`,
    files: ['identity', 'kubeconfig.yaml'],
    kubeconfig: { contexts: [`context-${user}`], user },
  });
  const result = { ...RESULT, outputs: [kube('b', 'one'), identity, kube('a', 'two'), kube('c:d', 'three')] };
  assert.equal(
    exportedVariables(result, 'linux').get('KUBECONFIG'),
    '/home/ci/b/kubeconfig.yaml:/home/ci/a/kubeconfig.yaml',
  );
  assert.match(
    exportedVariables(result, 'win32').get('KUBECONFIG') ?? '',
    /b\Wkubeconfig\.yaml;.*a\Wkubeconfig\.yaml;.*c:d/,
  );
  assert.deepEqual(exportWarnings(result, 'linux'), [
    'KUBECONFIG cannot contain /home/ci/c:d/kubeconfig.yaml, because ":" separates its entries: use a directory without that character',
  ]);
  const clash = exportWarnings({ outputs: [kube('b', 'one'), kube('a', 'one')] }, 'linux');
  assert.equal(clash.length, 2);
  assert.match(clash[0] ?? '', /^a and b both define the context context-one: kubectl uses that of b/);
});

const ACCESS = { kind: 'database', name: 'orders', protocol: 'postgres', user: 'ci', database: 'sales' } as const;

function databaseOutput(destination: string, protocol: string = ACCESS.protocol) {
  const files = ['identity', 'tlscert', 'key', 'teleport-host-ca.crt', 'teleport-database-ca.crt'];
  const common = { path: '--database', type: 'database', roles: ['access'], expiresAtMs: EXPIRES_AT_MS, notices: [] };
  return { ...common, destination, files, access: { ...ACCESS, protocol } };
}

function postgresVariables(outputs: RunResult['outputs']): Readonly<Record<string, string>> {
  const variables = exportedVariables({ ...RESULT, outputs }, 'linux');
  return Object.fromEntries([...variables].filter(([name]) => name.startsWith('PG')));
}

test("a database with PostgreSQL's protocol is exported for libpq, with the host authority as the root", () => {
  assert.deepEqual(postgresVariables([databaseOutput('/home/ci/db')]), {
    PGSSLCERT: '/home/ci/db/tlscert',
    PGSSLKEY: '/home/ci/db/key',
    PGSSLROOTCERT: '/home/ci/db/teleport-host-ca.crt',
    PGUSER: 'ci',
    PGDATABASE: 'sales',
  });
});

test('of several databases the first that libpq can use is exported', () => {
  const others = [{ ...databaseOutput('memory'), files: [] }, databaseOutput('/a', 'mysql')];
  const outputs = [...others, databaseOutput('/b', 'cockroachdb'), databaseOutput('/c')];
  assert.equal(postgresVariables(outputs).PGSSLKEY, '/b/key');
  assert.deepEqual(postgresVariables(others), {});
});

test('a user and a database that the output does not name are not exported', () => {
  const access = { ...ACCESS, user: undefined, database: undefined };
  const names = Object.keys(postgresVariables([{ ...databaseOutput('/a'), access }]));
  assert.deepEqual(names, ['PGSSLCERT', 'PGSSLKEY', 'PGSSLROOTCERT']);
});

test('the summary and the JSON object say which database the certificates are for', () => {
  const result = { ...RESULT, outputs: [databaseOutput('/a')] };
  assert.match(
    summaryText(result, BRIEF),
    /^ {2}--database {2}database {2}database orders \(postgres\) as ci, sales; roles access {2}2026/m,
  );
  assert.ok(resultJson(result).includes(`"access":${JSON.stringify(ACCESS)}`));
});

test('without an output on disk only the cluster is exported', () => {
  assert.deepEqual(
    [...exportedVariables({ ...RESULT, outputs: [] }, 'linux').keys()],
    ['TELEPORT_PROXY', 'TELEPORT_AUTH_SERVER', 'TELEPORT_CLUSTER'],
  );
});

test('a report has message, problems with their lines, hint and code, and causes only for debugging', () => {
  const error = new MachineIdError('CONFIG_INVALID', 'the file is wrong', {
    hint: 'mend it',
    cause: new Error('below'),
    problems: [{ path: 'outputs[0]', line: 3, message: 'has no type' }],
  });
  assert.equal(
    errorReport(error, { debug: false, style: PLAIN }),
    'error: the file is wrong\n  - outputs[0] (line 3): has no type\nhint: mend it\ncode: CONFIG_INVALID\n',
  );
  assert.match(errorReport(error, { debug: true, style: PLAIN }), /debug: caused by Error: below\n$/);
});

test('a problem that is in the message is not repeated', () => {
  const error = new MachineIdError('CONFIG_INVALID', 'wrong:\n  outputs[0] (line 3): has no type', {
    hint: 'mend it',
    problems: [{ path: 'outputs[0]', line: 3, message: 'has no type' }],
  });
  assert.equal(errorReport(error, { debug: false, style: PLAIN }).split('has no type').length, 2);
});

test('an unexpected error is reported as a problem of the program', () => {
  const error = asMachineIdError(new TypeError('x is undefined'));
  assert.equal(error.code, 'INTERNAL');
  assert.match(error.message, /TypeError: x is undefined/);
});

test('every variable that is declared is exported, in that order', () => {
  const access = { kind: 'database', name: 'n', protocol: 'postgres', user: 'u', database: 'd' } as const;
  const files = ['identity', 'kubeconfig.yaml', 'tlscert'];
  const common = { path: 'outputs[0]', type: 'database' };
  const output = { ...common, destination: '/d', files, roles: [], expiresAtMs: 0, access, notices: [] };
  const profile = { kind: 'aws', role: 'r', profile: 'p' } as const;
  const aws = { ...output, type: 'aws', access: profile, files: ['aws_credentials'] };
  const result = { proxy: 'proxy.example.com:443', cluster: 'c', outputs: [output, aws] };
  const exported = exportedVariables(result, 'linux');
  assert.deepEqual([...exported.keys()], Object.keys(VARIABLES));
});

test('columns are as wide as their longest cells, and lines end where their text does', () => {
  assert.deepEqual(
    table([
      ['a', 'bb', 'c'],
      ['aaa', '', 'cc'],
      ['a', 'b'],
    ]),
    ['a    bb  c', 'aaa      cc', 'a    b'],
  );
});

test('nothing makes no lines', () => {
  assert.deepEqual(table([]), []);
});
