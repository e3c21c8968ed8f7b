import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import test, { after } from 'node:test';
import type { Cluster } from '../cluster/cluster.ts';
import { BOT_NAME, ORGANIZATION_ID } from '../cluster/data/data.ts';
import { tctlCreate } from '../cluster/data/tctl.ts';
import type { MintOptions } from '../cluster/issuer/mint.ts';
import { checksOf } from './doctor-checks.ts';
import { clusterIn, directoryFor } from './embedded-cluster.ts';
import { beginJob, type Job, type RunChanges } from './job.ts';
import { assertRefused, assertRunRefused, errorReport, type Refusal } from './refusal.ts';
import { resultOf } from './run-result.ts';

const AUDIENCE = 'example.teleport.sh/deploy';
const METHOD = ['--join-method', 'generic_oidc'];
const FOR_AUDIENCE = [...METHOD, '--audience', AUDIENCE];

/** As tctl creates it. */
function joinToken(name: string, change: object = {}): string {
  const generic = {
    issuer: `https://oidc.circleci.com/org/${ORGANIZATION_ID}`,
    audience: AUDIENCE,
    must_match_fields: { 'oidc.circleci.com/vcs-ref': 'refs/heads/main' },
    ...change,
  };
  const spec = { roles: ['Bot'], join_method: 'generic_oidc', bot_name: BOT_NAME, generic_oidc: generic };
  return JSON.stringify({ kind: 'token', version: 'v2', metadata: { name }, spec });
}

const tokens = [joinToken('deploy'), joinToken('default', { audience: ORGANIZATION_ID })];
const authorities = await directoryFor({ after });
const cluster = await clusterIn(authorities, { after }, { teleport: '18.11.0', tokens });

/** Flags to join with a token by generic_oidc; later flags replace earlier ones. */
function flagsFor(job: Job, { info }: Cluster, token = 'deploy'): readonly string[] {
  return ['run', '--proxy-server', info.proxy, '--token', token, '--destination', job.destination, '--json'];
}

/** A stand-in for CircleCI's agent; resolves with the token that it prints. */
async function addAgent(job: Job, minted: MintOptions = { audience: AUDIENCE }): Promise<string> {
  const token = await cluster.mint(minted);
  await job.addProgram('circleci', `echo '${token}'`);
  return token;
}

/** The same, recording its arguments. */
async function addRecordingAgent(job: Job): Promise<string> {
  const token = await cluster.mint({ audience: AUDIENCE });
  await job.addProgram('circleci', `printf '%s\n' "$@" > "$HOME/asked"\necho '${token}'`);
  return token;
}

const asked = async (job: Job) => (await readFile(join(job.folder, 'asked'), 'utf8')).trimEnd().split('\n');

test('with an audience, the agent is asked for a token for exactly that', async (t) => {
  for (const teleport of ['18.11.0', '19.0.0']) {
    const newest = teleport === '18.11.0' ? cluster : await clusterIn(authorities, t, { teleport, tokens });
    const job = await beginJob(t, newest);
    const secrets = [await addRecordingAgent(job)];
    const run = await job.run([...flagsFor(job, newest), ...FOR_AUDIENCE, '--debug'], { secrets });
    const { bot, joinMethod, joinPath } = resultOf(run);
    assert.deepEqual([bot, joinMethod, joinPath], [BOT_NAME, 'generic_oidc', 'join-service']);
    assert.deepEqual(await asked(job), ['run', 'oidc', 'get', '--claims', `{"aud":"${AUDIENCE}"}`]);
    assert.match(run.stderr, /OIDC token from circleci run oidc get/);
    assert.doesNotMatch(run.stderr, /warn/i);
  }
});

test('at the Auth Service, a job joins by generic_oidc too', async (t) => {
  const job = await beginJob(t, cluster);
  const secrets = [await addAgent(job)];
  const { auth, caPin } = cluster.info;
  const at = ['run', '--auth-server', auth, '--ca-pin', caPin, '--token', 'deploy', '--destination', job.destination];
  assert.equal(resultOf(await job.run([...at, '--json', ...FOR_AUDIENCE], { secrets })).joinPath, 'join-service');
});

test('behind a load balancer that terminates TLS, the connection is upgraded', async (t) => {
  const balanced = await clusterIn(authorities, t, { teleport: '18.11.0', tokens, front: 'l7' });
  const job = await beginJob(t, balanced);
  const secrets = [await addAgent(job)];
  const run = await job.run([...flagsFor(job, balanced), ...FOR_AUDIENCE], { secrets });
  assert.equal(resultOf(run).joinPath, 'join-service', run.stderr);
  assert.ok(!balanced.records.kinds.includes('legacy-join'));
});

const fileWith = (lines: readonly string[]) =>
  [
    'version: v2',
    'onboarding:',
    '  join_method: generic_oidc',
    '  generic_oidc:',
    ...lines.map((one) => `    ${one}`),
    '',
  ].join('\n');

test('a variable or a command of the file is the only source of the token', async (t) => {
  const job = await beginJob(t, cluster);
  await addRecordingAgent(job);
  const [mine, printed] = await Promise.all([
    cluster.mint({ audience: AUDIENCE }),
    cluster.mint({ audience: AUDIENCE }),
  ]);
  const changes = { environment: { MINE: mine, PRINTED: printed }, secrets: [mine, printed] };
  for (const [lines, source] of [
    [['env: MINE'], /OIDC token from MINE/],
    [
      ['command: [sh, -c, \'test "$PWD" = "$HOME" && echo note >&2 && echo " $PRINTED "\']'],
      /OIDC token from the output of onboarding\.generic_oidc\.command \(tbot\.yaml line 5\)/,
    ],
  ] as const) {
    await job.addFile('tbot.yaml', fileWith(lines));
    for (const more of [[], ['--audience', AUDIENCE]]) {
      const run = await job.run([...flagsFor(job, cluster), '--config', 'tbot.yaml', ...more], changes);
      resultOf(run);
      assert.match(run.stderr, source);
    }
  }
  await assert.rejects(asked(job), { code: 'ENOENT' });
  const named = await job.run([...flagsFor(job, cluster), '--config', 'tbot.yaml', '--oidc-token', 'MINE'], changes);
  resultOf(named);
  assert.match(named.stderr, /--oidc-token replaces onboarding\.generic_oidc\.command \(tbot\.yaml line 5\)/);
});

test('without an audience, the default token is used, with a warning about the servers that have it too', async (t) => {
  const job = await beginJob(t, cluster);
  const run = await job.run([...flagsFor(job, cluster, 'default'), ...METHOD]);
  assert.equal(resultOf(run).joinMethod, 'generic_oidc');
  assert.match(run.stderr, /CIRCLE_OIDC_TOKEN is for the organization's id, as is the default token/);
});

interface Case extends Refusal {
  readonly name: string;
  readonly flags?: readonly string[];
  /** Below `generic_oidc` of the file. */
  readonly file?: readonly string[];
  /** Of the agent. */
  readonly script?: string;
  readonly minted?: MintOptions;
}

const CASES: readonly Case[] = [
  {
    name: 'the agent fails, and the default token is not used instead',
    script: 'echo "Error: no task token" >&2; exit 1',
    code: 'OIDC_TOKEN_MISSING',
    says: new RegExp(`^this job has no OIDC token for the audience "${AUDIENCE}".*\\n[^]*no task token`),
    hint: /Run the job again/,
  },
  {
    name: 'the agent creates a token for another audience',
    minted: {},
    code: 'OIDC_TOKEN_MISSING',
    says: /printed a token for another audience, expected example\.teleport\.sh\/deploy/,
  },
  {
    name: 'the agent creates a token for further audiences',
    minted: { audience: [AUDIENCE, 'other'] },
    code: 'OIDC_TOKEN_MISSING',
    says: /printed a token for another audience/,
  },
  {
    name: 'the agent creates an expired token',
    minted: { audience: AUDIENCE, expired: true },
    code: 'OIDC_TOKEN_EXPIRED',
    says: /^circleci run oidc get has expired/,
  },
  {
    name: 'the variable of the file is not set',
    file: ['env: NOT_SET'],
    code: 'OIDC_TOKEN_MISSING',
    says: /^NOT_SET, which onboarding\.generic_oidc\.env \(tbot\.yaml line 5\) names, is not set$/,
    hint: /\$BASH_ENV, or remove .* and set --audience/,
  },
  {
    name: 'the variable of the file has a token for another audience',
    file: ['env: CIRCLE_OIDC_TOKEN'],
    code: 'OIDC_TOKEN_AUDIENCE_MISMATCH',
    says: /^CIRCLE_OIDC_TOKEN is for the audience \S+, expected only "example\.teleport\.sh\/deploy"/,
    hint: /Remove onboarding\.generic_oidc\.env \(tbot\.yaml line 5\)/,
  },
  {
    name: 'a named variable has a token for another audience',
    flags: ['--oidc-token', 'CIRCLE_OIDC_TOKEN_V2'],
    code: 'OIDC_TOKEN_MISSING',
    says: /^CIRCLE_OIDC_TOKEN_V2, which --oidc-token names, is not set$/,
    hint: /set --audience/,
  },
  {
    name: 'the command fails',
    file: ['command: [sh, -c, \'echo "$CIRCLE_OIDC_TOKEN" >&2; exit 3\']'],
    code: 'OIDC_TOKEN_MISSING',
    says: /^onboarding\.generic_oidc\.command \(tbot\.yaml line 5\): "sh" failed with exit code 3\nstderr: \[masked\]$/,
    hint: /without a shell, in the home directory/,
  },
  {
    name: 'the command does not exist',
    file: ['command: [no-such-program]'],
    code: 'OIDC_TOKEN_MISSING',
    says: /"no-such-program" was not found/,
  },
  {
    name: 'the command takes too long',
    file: ['command: [sleep, "60"]', 'timeout: 200ms'],
    code: 'OIDC_TOKEN_MISSING',
    says: /"sleep" did not exit within 0\.2 s/,
  },
  {
    name: 'the command prints too much',
    file: ["command: [head, -c, '70000', /dev/zero]"],
    code: 'OIDC_TOKEN_MISSING',
    says: /"head" printed more than 64 KiB/,
  },
  {
    name: 'the command prints nothing',
    file: ["command: ['true']"],
    code: 'OIDC_TOKEN_MISSING',
    says: /"true" printed nothing to stdout/,
  },
  {
    name: 'the command prints other text with the token',
    file: ['command: [sh, -c, \'echo "token: $CIRCLE_OIDC_TOKEN"\']'],
    code: 'OIDC_TOKEN_MALFORMED',
    says: /^the output of onboarding\.generic_oidc\.command .* is not a CircleCI OIDC token/,
    hint: /nothing else to stdout/,
  },
];

test('a token that is not the right one is never sent, nor replaced with another', async (t) => {
  for (const { file, flags = [], minted, name, script, ...refusal } of CASES) {
    await t.test(name, async (sub) => {
      const job = await beginJob(sub, cluster);
      if (script !== undefined) await job.addProgram('circleci', script);
      const secrets = minted === undefined ? [] : [await addAgent(job, minted)];
      if (file !== undefined) await job.addFile('tbot.yaml', fileWith(file));
      const args = [...flagsFor(job, cluster), ...(file === undefined ? [] : ['--config', 'tbot.yaml'])];
      await assertRunRefused(job, refusal, { args: [...args, ...FOR_AUDIENCE, ...flags], changes: { secrets } });
      assert.deepEqual(cluster.records.all, []);
    });
  }
});

test('method, sources and audience that do not fit are reported together', async (t) => {
  const job = await beginJob(t, cluster);
  await job.addFile('tbot.yaml', fileWith(['env: A', 'command: [x]', 'timeout: -1s']));
  const run = await job.run([...flagsFor(job, cluster), '--config', 'tbot.yaml', '--credential-ttl', '1']);
  assertRefused(run, {
    code: 'CONFIG_INVALID',
    says: /3 problems:\n {2}tbot\.yaml line 6: .*command: cannot be set if/,
  });
  const alone = await job.run([...flagsFor(job, cluster), '--audience', AUDIENCE]);
  assertRefused(alone, { code: 'CONFIG_INVALID', says: /^--audience: needs the join method generic_oidc/ });
  assert.deepEqual(cluster.records.all, []);
});

test('doctor checks the audience and tries the join', async (t) => {
  const job = await beginJob(t, cluster);
  const secrets = [await addAgent(job)];
  const [, ...flags] = flagsFor(job, cluster).filter((flag) => flag !== '--json');
  const checks = await checksOf(job, [...flags, ...FOR_AUDIENCE], { secrets });
  for (const id of ['oidc-token', 'oidc-issuer', 'oidc-audience', 'join']) {
    assert.equal(checks.get(id)?.state, 'pass', checks.get(id)?.detail);
  }
  assert.match(checks.get('oidc-audience')?.detail ?? '', /^the audience example\.teleport\.sh\/deploy;/);
  const wrong = await checksOf(job, [...flags, ...METHOD]);
  assert.equal(wrong.get('oidc-audience')?.state, 'warn');
  assert.equal(wrong.get('join')?.state, 'fail');
});

// Refusals without a reason, and CircleCI server.

/** The lines of a join token in the message. */
function printedRule(message: string): string {
  const [, rule = ''] = /has:\n(generic_oidc:\n(?: .*(?:\n|$))+)/.exec(message) ?? [];
  return rule;
}

test('a refusal without a reason is explained, and the printed rule admits the job', async (t) => {
  const vcsRef = 'refs/heads/feature: "x"';
  const cases: readonly (readonly [name: string, minted: MintOptions, flags: readonly string[], firstCause: RegExp])[] =
    [
      [
        'another branch',
        { vcsRef },
        [],
        /1\. spec\.generic_oidc\.audience is not example\.teleport\.sh\/deploy\n {2}2\. .*feature/,
      ],
      ['the default audience', {}, METHOD, /1\. the token is for the organization's id, .*: set --audience to that\n/],
      ['soon expired', { ttlSeconds: 30, vcsRef }, [], /1\. the token expires at /],
      [
        'a rerun with SSH of a custom webhook',
        { withoutVcs: true, sshRerun: true },
        [],
        /2\. the token has no claim \S+vcs-origin and \S+vcs-ref: .*\n {2}3\. this job was rerun/,
      ],
      ['a token without a key id', { keyId: false }, [], /1\. the header of the token does not name its key/],
    ];
  for (const [name, minted, flags, says] of cases) {
    await t.test(name, async (sub) => {
      const job = await beginJob(sub, cluster);
      const isDefault = flags.length > 0;
      const mint = isDefault ? minted : { audience: AUDIENCE, ...minted };
      const secrets = isDefault ? [] : [await addAgent(job, mint)];
      const args = [...flagsFor(job, cluster), ...(isDefault ? flags : FOR_AUDIENCE)];
      const refusal: Refusal = {
        code: 'JOIN_GENERIC_OIDC_REFUSED',
        says: /unable to join via generic_oidc/,
        hint: /log of the Auth/,
      };
      const run = await assertRunRefused(job, refusal, { args, changes: { secrets } });
      assert.match(run.stderr, says);
      if (minted.keyId === false) return;
      const rule = printedRule(errorReport(run).message).replaceAll(/^/gm, '  ');
      const spec = `spec:\n  roles: [Bot]\n  join_method: generic_oidc\n  bot_name: ${BOT_NAME}\n${rule}`;
      tctlCreate(cluster.resources, `kind: token\nversion: v2\nmetadata: {name: pasted}\n${spec}`);
      const again = [...flagsFor(job, cluster, 'pasted'), ...(isDefault ? flags : FOR_AUDIENCE)];
      resultOf(await job.run(again, { secrets }));
    });
  }
});

test('a job of a CircleCI server joins by its certificate authority or its keys, and the refusal without them names both', async (t) => {
  const { info, resources } = cluster;
  const [ca, jwks] = await Promise.all([readFile(info.serverCa, 'utf8'), readFile(info.serverJwks, 'utf8')]);
  const issuer = info.serverIssuer;
  tctlCreate(resources, joinToken('by-ca', { issuer, tls_ca: ca }));
  tctlCreate(resources, joinToken('by-keys', { issuer, static_jwks: jwks }));
  tctlCreate(resources, joinToken('by-nothing', { issuer }));
  const job = await beginJob(t, cluster);
  const secrets = [await addAgent(job, { server: true, audience: AUDIENCE })];
  const ofServer = { CIRCLE_OIDC_TOKEN: await cluster.mint({ server: true }) };
  for (const name of ['by-ca', 'by-keys']) {
    const run = await job.run([...flagsFor(job, cluster, name), ...FOR_AUDIENCE], { secrets, environment: ofServer });
    assert.equal(resultOf(run).joinMethod, 'generic_oidc');
  }
  const refused = await job.run([...flagsFor(job, cluster, 'by-nothing'), ...FOR_AUDIENCE], { secrets });
  assertRefused(refused, {
    code: 'JOIN_GENERIC_OIDC_REFUSED',
    says: /issuer: "https:\/\/circleci\.example\.test\/org\//,
  });
  assert.match(
    refused.stderr,
    /cannot reach https:\/\/circleci\.example\.test: let it, or set static_jwks .* set tls_ca/,
  );
  assertRefused(await job.run(flagsFor(job, cluster, 'circleci-bot'), { environment: ofServer }), {
    code: 'OIDC_TOKEN_ISSUER_MISMATCH',
    says: /it looks like a token from a CircleCI server/,
    hint: /join with --join-method generic_oidc .*issuer: "https:\/\/circleci\.example\.test\/org\/.*tls_ca; .*static_jwks/,
  });
  const [, ...flags] = flagsFor(job, cluster, 'by-ca').filter((flag) => flag !== '--json');
  const checks = await checksOf(job, [...flags, ...FOR_AUDIENCE], { secrets });
  assert.match(
    checks.get('oidc-issuer')?.detail ?? '',
    /issued by the CircleCI server circleci\.example\.test: .*tls_ca/,
  );
  assert.equal(checks.get('join')?.state, 'pass');
});

test('with the join token in a file, the verdict about the job comes first', async (t) => {
  const job = await beginJob(t, cluster);
  const secrets = [await addAgent(job, { audience: AUDIENCE, vcsRef: 'refs/heads/x' })];
  await job.addFile('token.yaml', `${joinToken('other')}\n---\n${joinToken('deploy')}\n`);
  const args = [...flagsFor(job, cluster), ...FOR_AUDIENCE, '--token-file', 'token.yaml'];
  const refused = await job.run(args, { secrets });
  assertRefused(refused, { code: 'JOIN_GENERIC_OIDC_REFUSED', says: /unable to join/ });
  assert.match(
    refused.stderr,
    /1\. token\.yaml line 3: this join token rejects the job: must_match_fields: .*vcs-ref is "refs\/heads\/main"; .*refs\/heads\/x/,
  );
  const [, ...flags] = args.filter((flag) => flag !== '--json');
  const checks = await checksOf(job, flags, { secrets });
  assert.equal(checks.get('token-file')?.state, 'pass');
  assert.match(checks.get('join')?.detail ?? '', /likely cause 1: token\.yaml line 3: this join token rejects the job/);
  await job.addFile(
    'token.yaml',
    joinToken('deploy', { must_match_fields: { 'oidc.circleci.com/vcs-ref': 'refs/heads/x' } }),
  );
  const differs = await job.run(args, { secrets });
  assert.match(
    differs.stderr,
    /1\. token\.yaml line 1: this join token admits the job \(must_match_fields admits it\), so the one/,
  );
  for (const [text, refusal] of [
    [joinToken('other'), { code: 'CONFIG_INVALID', says: /has no join token "deploy", but "other"/ }],
    [
      'kind: role\n',
      { code: 'CONFIG_INVALID', says: /token\.yaml line 1: kind: is "role"; expected "token" or "bot"/ },
    ],
    [undefined, { code: 'CONFIG_UNREADABLE', says: /cannot read missing\.yaml, which --token-file names/ }],
  ] as const) {
    cluster.records.clear();
    const name = text === undefined ? 'missing.yaml' : 'token.yaml';
    if (text !== undefined) await job.addFile(name, text);
    assertRefused(await job.run([...args.slice(0, -1), name], { secrets }), refusal);
    assert.deepEqual(cluster.records.all, []);
  }
});

// Clusters that do not know the method.

const TOO_OLD: Refusal = {
  code: 'CLUSTER_UNSUPPORTED',
  says: /cannot join a job by generic_oidc, a join method of Teleport 18\.11 and later/,
  hint: /Upgrade the cluster to 18\.11 or later\. Or join with circleci/,
};

for (const teleport of ['15.3.7', '17.7.1', '18.6.0', '18.10.0']) {
  test(`Teleport ${teleport} does not know the method, at the Proxy or at the Auth Service`, async (t) => {
    const old = await clusterIn(authorities, t, { teleport });
    const { auth, caPin, proxy } = old.info;
    for (const [place, flags] of [
      ['Proxy', ['--proxy-server', proxy]],
      ['Auth Service', ['--auth-server', auth, '--ca-pin', caPin]],
    ] as const) {
      for (const token of ['deploy', 'circleci-bot']) {
        await t.test(`${place}, token ${token}`, async (sub) => {
          const job = await beginJob(sub, old);
          const changes: RunChanges = { secrets: [await addAgent(job)] };
          const args = ['run', ...flags, '--token', token, '--destination', job.destination, ...FOR_AUDIENCE];
          await assertRunRefused(job, TOO_OLD, { args, changes });
          const joins = old.records.kinds.filter((kind) => /legacy-join|Register/.test(kind));
          assert.deepEqual(joins, [], 'the registration endpoint does not know the method either');
        });
      }
    }
  });
}

test('a join token of the other method names the flags to set', async (t) => {
  const job = await beginJob(t, cluster);
  const secrets = [await addAgent(job)];
  for (const [flags, hint] of [
    [
      [...flagsFor(job, cluster, 'circleci-bot'), ...FOR_AUDIENCE],
      /Set --join-method circleci, and leave --audience out/,
    ],
    [flagsFor(job, cluster, 'deploy'), /Set --join-method generic_oidc, and --audience to/],
  ] as const) {
    const refusal = { code: 'JOIN_METHOD_MISMATCH', says: /only supports method/, hint } as const;
    assertRefused(await job.run(flags, { secrets }), refusal);
  }
});
