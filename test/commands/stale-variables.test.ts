import assert from 'node:assert/strict';
import test from 'node:test';
import { staleVariableWarning } from '../../src/commands/stale-variables.ts';
import type { WrittenOutput } from '../../src/outputs/result.ts';

const IDENTITY: WrittenOutput = {
  path: 'outputs[0]',
  type: 'identity',
  destination: '/identity',
  files: ['identity'],
  roles: ['deploy'],
  logins: ['ci'],
  expiresAtMs: 0,
  notices: [],
};
const DATABASE: WrittenOutput = {
  ...IDENTITY,
  type: 'database',
  files: ['tlscert', 'key'],
  logins: undefined,
  access: { kind: 'database', name: 'orders', protocol: 'postgres', user: 'ci', database: undefined },
};
const AWS: WrittenOutput = { ...IDENTITY, files: ['aws'], access: { kind: 'aws', role: 'deploy', profile: 'default' } };

const NONE = new Map<string, string>();
const KUBECONFIG = new Map([['KUBECONFIG', '/identity/kubeconfig.yaml']]);

function staleNames(
  outputs: readonly WrittenOutput[],
  environment: Readonly<Record<string, string>>,
  { described = NONE, exported = NONE, earlier = NONE } = {},
): string {
  const written = { outputs, proxyHosts: ['proxy.example.com', 'db.example.com'] };
  const warning = staleVariableWarning(written, { described, exported, earlier }, environment);
  return /override what was written: (.*?);/.exec(warning ?? '')?.[1] ?? '';
}

test('variables that tsh, tctl and Terraform prefer to an identity are named, without their values', () => {
  const environment = {
    TELEPORT_LOGIN: 'root',
    TELEPORT_HOME: '/home/tsh',
    TSH_VIRTUAL_PATH_KEY: '/key',
    TF_TELEPORT_IDENTITY_FILE_BASE64: 'secret',
    TF_TELEPORT_RETRY_MAX_TRIES: '3',
    TELEPORT_BOT_TOKEN: 'ci',
    PGHOST: 'localhost',
  };
  assert.equal(
    staleNames([IDENTITY], environment),
    'TELEPORT_HOME, TELEPORT_LOGIN, TF_TELEPORT_IDENTITY_FILE_BASE64, TSH_VIRTUAL_PATH_KEY',
  );
  assert.equal(staleNames([], environment), '');
});

test('a login that the bot may use is not stale', () => {
  assert.equal(staleNames([IDENTITY], { TELEPORT_LOGIN: 'ci' }), '');
});

test('variables of libpq are stale if they lead to another server or skip the verification', () => {
  const stale = { PGHOST: 'localhost', PGPASSFILE: '/pgpass', PGSSLMODE: 'prefer', PGSERVICE: 'test' };
  assert.equal(staleNames([DATABASE], stale), 'PGHOST, PGPASSFILE, PGSERVICE, PGSSLMODE');
  for (const host of ['proxy.example.com', 'db.example.com']) {
    assert.equal(staleNames([DATABASE], { PGHOST: host, PGPORT: '443', PGSSLMODE: 'verify-full', PGUSER: 'ci' }), '');
  }
});

test('keys of AWS in the environment have precedence over a profile', () => {
  assert.equal(staleNames([AWS], { AWS_ACCESS_KEY_ID: 'AKIA', AWS_REGION: 'eu-west-1' }), 'AWS_ACCESS_KEY_ID');
});

test('a variable that the run exports, or that another run exported, is not stale', () => {
  const environment = { KUBECONFIG: '/other' };
  assert.equal(staleNames([IDENTITY], environment, { described: KUBECONFIG }), 'KUBECONFIG');
  assert.equal(staleNames([IDENTITY], environment, { described: KUBECONFIG, exported: KUBECONFIG }), '');
  const earlier = new Map([['KUBECONFIG', '/other']]);
  assert.equal(staleNames([IDENTITY], environment, { described: KUBECONFIG, earlier }), '');
  assert.equal(staleNames([IDENTITY], Object.fromEntries(KUBECONFIG), { described: KUBECONFIG }), '');
});
