import assert from 'node:assert/strict';
import test from 'node:test';
import { errorReport } from '../../src/commands/error-report.ts';
import { exportedVariables } from '../../src/commands/exports.ts';
import type { RunResult } from '../../src/produce/result.ts';
import { resultJson, summaryText } from '../../src/commands/summary.ts';
import { PLAIN } from '../../src/effects/style.ts';
import { asMachineIdError, MachineIdError } from '../../src/errors.ts';

const EXPIRES_AT_MS = Date.UTC(2026, 10, 23, 12, 0, 0);

const RESULT: RunResult = {
  proxy: 'example.teleport.sh:443',
  cluster: 'example.teleport.sh',
  clusterVersion: '18.2.4',
  bot: 'ci',
  engine: 'native',
  joinPath: 'legacy',
  outputs: [
    { type: 'identity', destination: 'memory', files: [], roles: ['access'], expiresAtMs: EXPIRES_AT_MS, notices: [] },
    {
      type: 'identity',
      destination: '/home/ci/out',
      files: ['key', 'identity'],
      roles: ['access', 'deployer'],
      expiresAtMs: EXPIRES_AT_MS,
      notices: ['the cluster shortened the lifetime'],
    },
  ],
  exportedTo: '/tmp/bash_env',
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
      { type: 'identity', destination: 'memory', files: [], roles: ['access'], expiresAt: '2026-11-23T12:00:00Z' },
      {
        type: 'identity',
        destination: '/home/ci/out',
        files: ['key', 'identity'],
        roles: ['access', 'deployer'],
        expiresAt: '2026-11-23T12:00:00Z',
        notices: ['the cluster shortened the lifetime'],
      },
    ],
    timingsMs: { join: 40, total: 90 },
    spans: [{ name: 'Join', kind: 'cluster', startMs: 3, endMs: 40 }],
  });
});

test('the summary names cluster, bot, roles, files, expiry, notices and the total time', () => {
  const text = summaryText(RESULT, PLAIN);
  for (const part of [
    'example.teleport.sh (Teleport 18.2.4)',
    'ci, by the registration endpoint',
    '/home/ci/out',
    'key, identity',
    'access, deployer',
    '2026-11-23T12:00:00Z',
    'the cluster shortened the lifetime',
    '/tmp/bash_env',
    '90 ms',
  ]) {
    assert.ok(text.includes(part), part);
  }
});

test('a run without outputs says that nothing was written', () => {
  assert.match(summaryText({ ...RESULT, outputs: [], exportedTo: undefined }, PLAIN), /nothing was written/);
});

test('later steps get the first output that is on disk', () => {
  assert.deepEqual(Object.fromEntries(exportedVariables(RESULT)), {
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
  const variables = exportedVariables({ ...RESULT, outputs: [kubernetes, identity] });
  assert.equal(variables.get('KUBECONFIG'), '/home/ci/kube/kubeconfig.yaml');
  assert.equal(variables.get('TELEPORT_IDENTITY_FILE'), '/home/ci/out/identity');
  const alone = exportedVariables({ ...RESULT, outputs: [kubernetes] });
  assert.equal(alone.get('TELEPORT_IDENTITY_FILE'), '/home/ci/kube/identity');
});

const ACCESS = { kind: 'database', name: 'orders', protocol: 'postgres', user: 'ci', database: 'sales' } as const;

function databaseOutput(destination: string, protocol: string = ACCESS.protocol) {
  const files = ['identity', 'tlscert', 'key', 'teleport-host-ca.crt', 'teleport-database-ca.crt'];
  const common = { type: 'database', roles: ['access'], expiresAtMs: EXPIRES_AT_MS, notices: [] };
  return { ...common, destination, files, access: { ...ACCESS, protocol } };
}

function postgresVariables(outputs: RunResult['outputs']): Readonly<Record<string, string>> {
  const variables = exportedVariables({ ...RESULT, outputs });
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
    summaryText(result, PLAIN),
    /^ {2}database {2}database orders \(postgres\) as ci, sales; roles access {2}2026/m,
  );
  assert.ok(resultJson(result).includes(`"access":${JSON.stringify(ACCESS)}`));
});

test('without an output on disk only the cluster is exported', () => {
  assert.deepEqual(
    [...exportedVariables({ ...RESULT, outputs: [] }).keys()],
    ['TELEPORT_PROXY', 'TELEPORT_AUTH_SERVER', 'TELEPORT_CLUSTER'],
  );
});

test('a report has message, faults with their lines, hint and code, and causes only for debugging', () => {
  const error = new MachineIdError('CONFIG_INVALID', 'the file is wrong', {
    hint: 'mend it',
    cause: new Error('below'),
    faults: [{ path: 'outputs[0]', line: 3, message: 'has no type' }],
  });
  assert.equal(
    errorReport(error, { debug: false, style: PLAIN }),
    'error: the file is wrong\n  - outputs[0] (line 3): has no type\nhint: mend it\ncode: CONFIG_INVALID\n',
  );
  assert.match(errorReport(error, { debug: true, style: PLAIN }), /debug: caused by Error: below\n$/);
});

test('a fault that stands in the message is not said twice', () => {
  const error = new MachineIdError('CONFIG_INVALID', 'wrong:\n  outputs[0] (line 3): has no type', {
    hint: 'mend it',
    faults: [{ path: 'outputs[0]', line: 3, message: 'has no type' }],
  });
  assert.equal(errorReport(error, { debug: false, style: PLAIN }).split('has no type').length, 2);
});

test('an error of another kind is reported as a fault of the program', () => {
  const error = asMachineIdError(new TypeError('x is undefined'));
  assert.equal(error.code, 'INTERNAL');
  assert.match(error.message, /TypeError: x is undefined/);
});
