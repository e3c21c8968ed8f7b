import assert from 'node:assert/strict';
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { test } from 'node:test';
import { decodeJwt } from 'jose';
import { z } from 'zod';
import { bounded, compiled, runProgramSync } from '../programs.ts';
import { temporaryDirectory } from './temporary-directory.ts';

const COMMAND = [compiled('test/cluster/main.ts')];

const Info = z.strictObject({
  proxy: z.string().regex(/^(localhost:\d+)?$/),
  ssh: z.string(),
  tunnel: z.string(),
  kube: z.string(),
  auth: z.string().regex(/^(127\.0\.0\.1|localhost):\d+$/),
  cluster: z.string(),
  teleport: z.string(),
  webCa: z.string(),
  caPin: z.string().regex(/^sha256:[0-9a-f]{64}$/),
  caPins: z.array(z.string()),
  joinToken: z.string(),
  bot: z.string(),
  organizationId: z.uuid(),
  projectId: z.uuid(),
  contextId: z.uuid(),
  postgres: z.string().regex(/^(localhost:\d+)?$/),
  serverIssuer: z.url(),
  serverIssuerLocal: z.url(),
  serverCa: z.string(),
  serverJwks: z.string(),
});

test('it prints one line of JSON when it is ready, and ends on SIGTERM with its port closed', async () => {
  const directory = temporaryDirectory();
  const { child, info } = await start(directory.path, '18.5.1');
  const code = await stop(child);
  const port = Number(info.proxy.split(':')[1]);
  assert.equal(code, 0);
  await assert.rejects(once(connect(port, '127.0.0.1'), 'connect'), { code: 'ECONNREFUSED' });
  directory.remove();
});

test('it runs as Teleport 19, with the join service as the only way to join and with limits if requested', async () => {
  const directory = temporaryDirectory();
  const { child, info } = await start(directory.path, '19.0.0', [
    '--without-registration-endpoint',
    '--limits',
    '--rate',
    '9/9',
  ]);
  assert.equal(info.teleport, '19.0.0');
  await stop(child);
  directory.remove();
});

test('it runs with Auth alone, in the middle of a rotation, and with separate ports', async () => {
  const directory = temporaryDirectory();
  const alone = await start(directory.path, '18.6.0', ['--auth-only', '--rotation', 'init', '--listen-host', 'both']);
  await stop(alone.child);
  assert.equal(alone.info.proxy, '');
  assert.match(alone.info.auth, /^localhost:\d+$/);
  assert.equal(alone.info.caPins.length, 2);
  const flags = [
    '--front',
    'separate',
    '--without-web-route-to-auth',
    '--hsm',
    '--public-address',
    'ssh=a.example:3023',
  ];
  const separate = await start(directory.path, '18.6.0', flags);
  await stop(separate.child);
  const { kube, proxy, ssh, tunnel } = separate.info;
  assert.equal(new Set([kube, proxy, ssh, tunnel]).size, 4);
  assert.deepEqual(separate.info.caPins, [separate.info.caPin]);
  directory.remove();
});

test('another start in the same directory has the same authorities, which only the owner can read', async () => {
  const directory = temporaryDirectory();
  const path = join(directory.path, 'cluster');
  const first = await start(path, '17.7.1');
  await stop(first.child);
  const second = await start(path, '17.7.1');
  await stop(second.child);
  assert.equal(second.info.caPin, first.info.caPin);
  assert.equal(statSync(path).mode & 0o777, 0o700);
  for (const file of readdirSync(path)) {
    assert.equal(statSync(join(path, file)).mode & 0o777, 0o600, file);
  }
  directory.remove();
});

test('mint prints a token with the requested claims', () => {
  const directory = temporaryDirectory();
  const ids = ['--project', 'p', '--context', 'c1', '--context', 'c2', '--organization', 'o'];
  const run = mint(directory.path, [...ids, '--ttl', '60', '--form', 'v2']);
  const claims = decodeJwt(run.stdout.trim());
  directory.remove();
  assert.equal(claims.iss, 'https://oidc.circleci.com/org/o');
  assert.equal(claims.aud, 'o');
  assert.equal(claims['oidc.circleci.com/project-id'], 'p');
  assert.deepEqual(claims['oidc.circleci.com/context-ids'], ['c1', 'c2']);
  assert.match(claims.sub ?? '', /^org\/o\/project\/p\/user\/[^/]+\/vcs-origin\/.+\/vcs-ref\/.+$/);
  assert.equal((claims.exp ?? 0) - (claims.iat ?? 0), 60);
});

test('mint sets any claim, as JSON or as text, and removes it by null', () => {
  const directory = temporaryDirectory();
  const claims = [
    'oidc.circleci.com/vcs-ref=refs/tags/v1=rc',
    'oidc.circleci.com/ssh-rerun=true',
    'oidc.circleci.com/context-ids=["a"]',
    'oidc.circleci.com/vcs-origin=null',
    'level=5',
    'quoted="5"',
    'aud=["a","b"]',
    'sub=',
  ];
  const flags = claims.flatMap((claim) => ['--claim', claim]);
  const run = mint(directory.path, [...flags, '--audience', 'overridden', '--server', '--organization', 'o']);
  const minted = decodeJwt(run.stdout.trim());
  directory.remove();
  assert.equal(minted['oidc.circleci.com/vcs-ref'], 'refs/tags/v1=rc');
  assert.equal(minted['oidc.circleci.com/ssh-rerun'], true);
  assert.deepEqual(minted['oidc.circleci.com/context-ids'], ['a']);
  assert.equal('oidc.circleci.com/vcs-origin' in minted, false);
  assert.equal(minted.level, 5);
  assert.equal(minted.quoted, '5');
  assert.deepEqual(minted.aud, ['a', 'b']);
  assert.equal(minted.sub, '');
  assert.equal(minted.iss, 'https://circleci.example.test/org/o');
});

test('it creates the resources of --token, and exits with 2 and the text if Teleport refuses one', async () => {
  const directory = temporaryDirectory();
  const [good, bad] = [join(directory.path, 'good.yaml'), join(directory.path, 'bad.yaml')];
  const generic = 'issuer: "https://a.example", audience: b';
  const token = (rules: string) =>
    'kind: token\nversion: v2\nmetadata: { name: deploy }\n' +
    `spec: { roles: [Bot], bot_name: ci, join_method: generic_oidc, generic_oidc: { ${generic}${rules} } }\n`;
  writeFileSync(good, token(', must_match_fields: { a: b }'), { mode: 0o600 });
  writeFileSync(bad, token(''), { mode: 0o600 });
  const { child } = await start(join(directory.path, 'cluster'), '18.11.0', ['--token', good, '--token', good]);
  await stop(child);
  const refused = runProgramSync(process.execPath, [
    ...COMMAND,
    '--dir',
    directory.path,
    '--teleport',
    '19.0.0',
    '--token',
    bad,
  ]);
  const older = runProgramSync(process.execPath, [
    ...COMMAND,
    '--dir',
    directory.path,
    '--teleport',
    '18.10.0',
    '--token',
    good,
  ]);
  directory.remove();
  assert.equal(refused.exitCode, 2);
  assert.match(refused.stderr, /bad\.yaml: the "generic_oidc" join method requires at least one rule under either/);
  assert.equal(older.exitCode, 2);
  assert.match(older.stderr, /good\.yaml: unknown join method "generic_oidc"/);
});

const wrongInputs: readonly { readonly args: readonly string[]; readonly says: RegExp }[] = [
  { args: ['--dir', 'd', '--colour'], says: /Unknown option '--colour'/ },
  { args: ['--dir', 'd', '--teleport', '14.0.0'], says: /Teleport 14\.0\.0 is not modelled/ },
  { args: ['--dir', 'd', '--rotation', 'half'], says: /--rotation is one of init, .*standby, not half/ },
  { args: ['--dir', 'd', '--listen-host', '::'], says: /--listen-host is one of 127\.0\.0\.1, ::1, both, not ::/ },
  { args: ['--dir', 'd', '--public-address', 'web=a:1'], says: /--public-address is HOST:PORT/ },
  { args: ['--dir', 'd', '--rate', '10'], says: /--rate is AVERAGE.BURST, such as 10.20, not 10\n/ },
  { args: ['--dir', 'd', '--front', 'l8'], says: /--front is one of plain, .*l7-h2.*, not l8/ },
  { args: ['mint', '--dir', 'd', '--claim', '=x'], says: /--claim is NAME=VALUE, not =x/ },
  { args: ['mint', '--dir', 'd', '--form', 'v3'], says: /--form is v1 or v2, not v3/ },
];
for (const { args, says } of wrongInputs) {
  test(`it exits with 2 for "${args.join(' ')}"`, () => {
    const run = runProgramSync(process.execPath, [...COMMAND, ...args]);
    assert.equal(run.exitCode, 2);
    assert.match(run.stderr, says);
    assert.equal(run.stdout, '');
    assert.ok(!existsSync('d'), 'nothing is created');
  });
}

test('--help explains both commands', () => {
  const run = runProgramSync(process.execPath, [...COMMAND, '--help']);
  assert.equal(run.exitCode, 0);
  assert.match(run.stdout, /--teleport[^]*mint --dir/);
});

async function start(
  dir: string,
  teleport: string,
  flags: readonly string[] = [],
): Promise<{ child: ChildProcess; info: z.infer<typeof Info> }> {
  const args = [...COMMAND, '--dir', dir, '--teleport', teleport, ...flags];
  const child = bounded(spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] }));
  let line = '';
  for await (const chunk of child.stdout.setEncoding('utf8').iterator({ destroyOnReturn: false })) {
    line += String(chunk);
    if (line.endsWith('\n')) {
      break;
    }
  }
  try {
    return { child, info: Info.parse(JSON.parse(line)) };
  } catch (error) {
    child.kill('SIGKILL'); // otherwise this file would wait for it
    throw error;
  }
}

async function stop(child: ChildProcess): Promise<number | null> {
  const exited = once(child, 'exit');
  child.kill('SIGTERM');
  await exited;
  return child.exitCode;
}

function mint(dir: string, flags: readonly string[]): { stdout: string } {
  const run = runProgramSync(process.execPath, [...COMMAND, 'mint', '--dir', dir, ...flags]);
  assert.equal(run.exitCode, 0, run.stderr);
  return run;
}
