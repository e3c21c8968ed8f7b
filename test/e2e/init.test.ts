import assert from 'node:assert/strict';
import { mkdir, readdir, readFile, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import test, { after, type TestContext } from 'node:test';
import { parse, parseAllDocuments } from 'yaml';
import { z } from 'zod';
import { CONTEXT_ID, ORGANIZATION_ID, PROJECT_ID } from '../cluster/data/data.ts';
import type { MintOptions } from '../cluster/issuer/mint.ts';
import { tctlBotsAdd, tctlCreate } from '../cluster/data/tctl.ts';
import { runJob } from '../job-runner/run-job.ts';
import { packedWith } from '../orb/source.ts';
import { runProgramSync } from '../programs.ts';
import { temporaryFolder } from '../temporary-folder.ts';
import { clusterIn, directoryFor } from './embedded-cluster.ts';
import { listing } from './folder-listing.ts';
import { beginJob } from './job.ts';
import { assertRefused, errorReport } from './refusal.ts';
import { BUNDLE, NODE, runBundle, type BundleRun } from './run-bundle.ts';
import { CTRL_C, CTRL_D, startAtTerminal, terminalMissing } from './terminal.ts';

const authorities = await directoryFor({ after });
const cluster = await clusterIn(authorities, { after }, {});
const { proxy, webCa } = cluster.info;

const IDS = ['--organization-id', ORGANIZATION_ID, '--project-id', PROJECT_ID, '--context-id', CONTEXT_ID];
const FLAGS = ['init', '--proxy', proxy, ...IDS, '--roles', 'access'];
const NAMES = ['bot-token.yaml', 'bot.yaml', 'circleci-config.yml', 'tbot.yaml'];

/** A user's own machine: no job, no token. */
function atHome(folder: string, args: readonly string[], environment = {}): Promise<BundleRun> {
  return runBundle(args, { workingDirectory: folder, environment: { PATH: '/usr/bin:/bin', ...environment } });
}

async function repository(t: TestContext): Promise<string> {
  const folder = join(await temporaryFolder(t), 'Web App');
  await mkdir(folder);
  return folder;
}

const Token = z.object({
  metadata: z.object({ name: z.string() }),
  spec: z.object({
    bot_name: z.string(),
    circleci: z.object({ organization_id: z.string(), allow: z.array(z.record(z.string(), z.string())) }),
  }),
});

async function tokenIn(folder: string) {
  return Token.parse(parse(await readFile(join(folder, 'bot-token.yaml'), 'utf8')));
}

const RULE = { project_id: PROJECT_ID, context_id: CONTEXT_ID };

test('flags alone are enough: it writes four files and prints the next commands', async (t) => {
  const folder = await repository(t);
  const run = await atHome(folder, FLAGS);
  assert.deepEqual([run.exitCode, run.stderr], [0, '']);
  assert.deepEqual((await readdir(join(folder, 'teleport'))).sort(), NAMES);
  const { metadata, spec } = await tokenIn(join(folder, 'teleport'));
  assert.deepEqual([metadata.name, spec.bot_name], ['circleci-web-app', 'circleci-web-app']);
  assert.deepEqual(spec.circleci, { organization_id: ORGANIZATION_ID, allow: [RULE] });
  assert.match(run.stdout, /^ +tctl create -f teleport\/bot\.yaml\n +tctl create -f teleport\/bot-token\.yaml$/m);
  assert.match(run.stdout, /^ +tctl bots add circleci-web-app --roles=access --token=circleci-web-app$/m);
  assert.match(run.stdout, /explain-token teleport\/bot-token\.yaml/);
});

test('in a job, the IDs come from its OIDC token, which is not printed', async (t) => {
  const job = await beginJob(t, cluster);
  const run = await job.run(['init', '--proxy', proxy, '--roles', 'access,deployer']);
  assert.equal(run.exitCode, 0, run.stderr);
  const { metadata, spec } = await tokenIn(join(job.checkout, 'teleport'));
  assert.equal(metadata.name, 'circleci-app');
  assert.deepEqual(spec.circleci, { organization_id: ORGANIZATION_ID, allow: [RULE] });
  const text = await readFile(join(job.checkout, 'teleport/bot-token.yaml'), 'utf8');
  assert.match(text, /# The project \(from CIRCLE_OIDC_TOKEN\);/);
  assert.match(await readFile(join(job.checkout, 'teleport/tbot.yaml'), 'utf8'), new RegExp(`path: "?${job.folder}/`));
});

test('without a token, organization and project come from the variables of the job', async (t) => {
  const folder = await repository(t);
  const environment = { CIRCLE_ORGANIZATION_ID: ORGANIZATION_ID, CIRCLE_PROJECT_ID: PROJECT_ID };
  const run = await atHome(folder, ['init', '--roles', 'access', '--no-context'], {
    ...environment,
    TELEPORT_PROXY: proxy,
  });
  assert.equal(run.exitCode, 0, run.stderr);
  assert.match(run.stderr, /every job of the project can become the bot/);
  assert.deepEqual((await tokenIn(join(folder, 'teleport'))).spec.circleci.allow, [{ project_id: PROJECT_ID }]);
});

test('all missing values are reported together, with where to find them', async (t) => {
  const folder = await repository(t);
  const run = await atHome(folder, ['init', '--directory', 'a$b']);
  assertRefused(run, { code: 'USAGE_INVALID', says: /the setup files cannot be written/, hint: /nothing was written/ });
  const { message } = errorReport(run);
  for (const flag of ['proxy-server', 'organization-id', 'project-id', 'context-id', 'roles', 'directory']) {
    assert.match(message, new RegExp(`^ {2}- --${flag}: `, 'm'));
  }
  assert.match(message, /--project-id: is missing: see Project Settings > Overview/);
  assert.deepEqual(await readdir(folder), []);
});

test('if a job has several contexts, one must be chosen', async (t) => {
  const job = await beginJob(t, cluster);
  const other = '0ddba115-0000-4000-8000-000000000000';
  const environment = { CIRCLE_OIDC_TOKEN: await cluster.mint({ contexts: [CONTEXT_ID, other] }) };
  const args = ['init', '--proxy', proxy, '--roles', 'access'];
  const refused = await job.run(args, { environment });
  assertRefused(refused, { code: 'USAGE_INVALID', says: new RegExp(`this job has ${CONTEXT_ID} and ${other}`) });
  const run = await job.run([...args, '--context-id', other], { environment });
  assert.equal(run.exitCode, 0, run.stderr);
});

test('an invalid token is reported, and the flags still apply', async (t) => {
  const job = await beginJob(t, cluster);
  const environment = { CIRCLE_OIDC_TOKEN: 'nonsense-nonsense' };
  const run = await job.run([...FLAGS.slice(0, -4), '--roles', 'access', '--no-context'], { environment });
  assert.equal(run.exitCode, 0, run.stderr);
  const refused = await job.run(['init', '--proxy', proxy, '--roles', 'access'], { environment });
  assert.match(refused.stderr, /--project-id: is missing/);
});

test('--no-context together with --context-id is rejected', async (t) => {
  const folder = await repository(t);
  const run = await atHome(folder, [...FLAGS, '--no-context']);
  assertRefused(run, { code: 'USAGE_INVALID', says: /--no-context: conflicts with --context-id/ });
});

test('existing files are all reported, and replaced only with --force', async (t) => {
  const folder = await repository(t);
  await mkdir(join(folder, 'teleport'));
  for (const name of ['bot.yaml', 'tbot.yaml']) await writeFile(join(folder, 'teleport', name), 'mine\n');
  const before = await listing(folder);
  const run = await atHome(folder, FLAGS);
  assertRefused(run, {
    code: 'USAGE_INVALID',
    says: /teleport\/bot\.yaml: already exists.*\n.*teleport\/tbot\.yaml: already/,
  });
  assert.deepEqual(await listing(folder), before);
  assert.equal((await atHome(folder, [...FLAGS, '--force'])).exitCode, 0);
  assert.deepEqual((await readdir(join(folder, 'teleport'))).sort(), NAMES);
  assert.match(await readFile(join(folder, 'teleport/bot.yaml'), 'utf8'), /kind: bot/);
});

test('links are not followed, even with --force', async (t) => {
  const folder = await repository(t);
  const other = join(folder, 'other');
  await writeFile(other, 'mine\n');
  await mkdir(join(folder, 'teleport'));
  await symlink(other, join(folder, 'teleport/tbot.yaml'));
  const run = await atHome(folder, [...FLAGS, '--force']);
  assertRefused(run, { code: 'DESTINATION_UNSAFE', says: /symbolic link/ });
  assert.equal(await readFile(other, 'utf8'), 'mine\n');
  assert.deepEqual(await readdir(join(folder, 'teleport')), ['tbot.yaml']);
});

test('--print writes nothing and prints only YAML to stdout', async (t) => {
  const folder = await repository(t);
  const run = await atHome(folder, [...FLAGS, '--print', '--directory', 'ci/teleport']);
  assert.equal(run.exitCode, 0, run.stderr);
  assert.deepEqual(await readdir(folder), []);
  const documents = parseAllDocuments(run.stdout);
  assert.equal(documents.length, NAMES.length);
  assert.match(run.stdout, /^# ci\/teleport\/tbot\.yaml$/m);
  assert.match(run.stdout, /config: ci\/teleport\/tbot\.yaml/);
  assert.match(run.stderr, /tctl create -f ci\/teleport\/bot\.yaml/);
});

test('for a directory outside of the repository, the config names the expected path in the repository', async (t) => {
  const [folder, place] = [await repository(t), join(await temporaryFolder(t), 'set-up')];
  const run = await atHome(folder, [...FLAGS, '--directory', place]);
  assert.equal(run.exitCode, 0, run.stderr);
  assert.match(await readFile(join(place, 'circleci-config.yml'), 'utf8'), /config: set-up\/tbot\.yaml/);
  assert.ok(run.stdout.includes(`Commit ${place}/tbot.yaml (the config refers to it as set-up/tbot.yaml)`));
});

test('in a subdirectory of a repository, the config names the files relative to the root', async (t) => {
  const folder = await repository(t);
  await mkdir(join(folder, '.git'));
  await mkdir(join(folder, 'services/web'), { recursive: true });
  const run = await atHome(join(folder, 'services/web'), FLAGS);
  assert.equal(run.exitCode, 0, run.stderr);
  const config = await readFile(join(folder, 'services/web/teleport/circleci-config.yml'), 'utf8');
  assert.match(config, /config: services\/web\/teleport\/tbot\.yaml/);
  assert.match(run.stdout, /tctl create -f teleport\/bot\.yaml/);
});

/** Runs `init` in a job, then the commands that it printed. */
for (const method of ['bot.yaml', 'tctl bots add'] as const) {
  test(`the files of init in a job set up the cluster by ${method}, and its config joins`, async (t) => {
    const own = await clusterIn(authorities, t, method === 'bot.yaml' ? {} : { teleport: '15.3.7' });
    const job = await beginJob(t, own);
    const outputs = ['--kubernetes-cluster', 'dev', '--database', 'orders', '--database-user', 'ci', '--ssh'];
    const bot = ['--bot', 'ci-of-app', '--token', 'app-token', '--roles', 'access', '--roles', 'deployer'];
    const run = await job.run(['init', '--proxy', own.info.proxy, ...outputs, ...bot]);
    assert.equal(run.exitCode, 0, run.stderr);
    const written = (name: string) => readFile(join(job.checkout, 'teleport', name), 'utf8');

    const joinFlags = ['run', '--config', 'teleport/tbot.yaml', '--json'];
    assert.equal(errorReport(await job.run(joinFlags)).code, 'JOIN_TOKEN_UNKNOWN');
    if (method === 'bot.yaml') tctlCreate(own.resources, await written('bot.yaml'));
    tctlCreate(own.resources, await written('bot-token.yaml'));
    if (method !== 'bot.yaml') {
      const [, name = '', roles = '', token = ''] =
        /tctl bots add (\S+) --roles=(\S+) --token=(\S+)/.exec(run.stdout) ?? [];
      tctlBotsAdd(own.resources, name, roles.split(','), token);
    }

    const joined = await job.run(joinFlags);
    assert.equal(joined.exitCode, 0, joined.stderr);
    const { bot: name, outputs: made } = z
      .object({ bot: z.string(), outputs: z.array(z.object({ type: z.string(), roles: z.array(z.string()) })) })
      .parse(JSON.parse(joined.stdout));
    assert.equal(name, 'ci-of-app');
    assert.deepEqual(
      made,
      ['identity', 'kubernetes', 'database'].map((type) => ({ type, roles: ['access', 'deployer'] })),
    );
    const elsewhere = { CIRCLE_OIDC_TOKEN: await own.mint({ contexts: [] }) };
    assert.equal(errorReport(await job.run(joinFlags, { environment: elsewhere })).code, 'JOIN_CLAIMS_REFUSED');
  });
}

test('with --branch, only jobs of that branch join, with an OIDC token for the audience alone', async (t) => {
  const own = await clusterIn(authorities, t, { teleport: '18.11.0' });
  const job = await beginJob(t, own);
  const init = await job.run(['init', '--proxy', own.info.proxy, '--roles', 'access', '--branch', 'main']);
  assert.equal(init.exitCode, 0, init.stderr);
  const written = (name: string) => readFile(join(job.checkout, 'teleport', name), 'utf8');
  for (const name of ['bot.yaml', 'bot-token.yaml']) tctlCreate(own.resources, await written(name));
  const audience = /audience: (\S+)/.exec(await written('bot-token.yaml'))?.[1]?.replaceAll('"', '');
  assert.equal(audience, `${own.info.proxy}/circleci-app`);
  const joinAs = async (mint: MintOptions) => {
    const token = await own.mint({ audience, ...mint });
    await job.addProgram('circleci', `[ "$5" = '{"aud":"${audience}"}' ] && echo ${token}`);
    return job.run(['run', '--config', 'teleport/tbot.yaml', '--json'], { secrets: [token] });
  };
  const joined = await joinAs({});
  assert.equal(joined.exitCode, 0, joined.stderr);
  const refused: readonly MintOptions[] = [
    { vcsRef: 'refs/heads/other' },
    { vcsRef: 'refs/tags/v1' },
    { vcsOrigin: 'github.com/fork/app' },
    { sshRerun: true },
    { contexts: [] },
    { withoutVcs: true },
  ];
  for (const mint of refused) {
    const run = await joinAs(mint);
    assert.equal(run.exitCode, 1, JSON.stringify(mint));
    assert.match(run.stderr, /unable to join via generic_oidc/);
  }
});

test('every form of the rules is read back by explain-token, which allows the job', async (t) => {
  const job = await beginJob(t, cluster);
  for (const [form, name] of [
    ['tctl', 'bot-token.yaml'],
    ['operator', 'bot-token.yaml'],
    ['terraform', 'teleport.tf'],
  ] as const) {
    const flags = ['--branch', 'main', '--tag', 'v*', '--form', form, '--directory', form];
    const init = await job.run(['init', '--proxy', proxy, '--roles', 'access', ...flags]);
    assert.equal(init.exitCode, 0, init.stderr);
    const explained = await job.run(['explain-token', `${form}/${name}`]);
    assert.equal(explained.exitCode, 0, explained.stdout);
    assert.match(explained.stdout, /This token allows the job: /);
    assert.doesNotMatch(explained.stdout, /^(?:error|warning): /m);
    const other = { environment: { CIRCLE_OIDC_TOKEN: await cluster.mint({ vcsRef: 'refs/heads/other' }) } };
    assert.equal((await job.run(['explain-token', `${form}/${name}`], other)).exitCode, 1);
    assert.equal((await job.run(['explain-token', '--lint', `${form}/${name}`])).exitCode, 0);
  }
});

const LIST = `name,project_id,contexts,branches,repository,roles,kubernetes_cluster,ssh
shop,${PROJECT_ID},${CONTEXT_ID},main release/*,github.com/example/app,access;deployer,dev,
docs,${PROJECT_ID},"${CONTEXT_ID}",main,github.com/example/docs,access,,true
`;

test('a list of projects becomes files for all of them, and its drift from the cluster is reported', async (t) => {
  const own = await clusterIn(authorities, t, { teleport: '18.11.0' });
  const folder = await repository(t);
  await writeFile(join(folder, 'list.csv'), LIST);
  const args = ['init', '--from-list', 'list.csv', '--proxy', own.info.proxy, ...IDS.slice(0, 2)];
  const run = await atHome(folder, args);
  assert.equal(run.exitCode, 0, run.stderr);
  assert.match(run.stdout, /^ +tctl create -f teleport\/resources\.yaml$/m);
  assert.deepEqual((await readdir(join(folder, 'teleport'))).sort(), ['docs', 'resources.yaml', 'shop']);
  assert.deepEqual((await readdir(join(folder, 'teleport/shop'))).sort(), ['circleci-config.yml', 'tbot.yaml']);
  const resources = await readFile(join(folder, 'teleport/resources.yaml'), 'utf8');
  tctlCreate(own.resources, resources);

  const drift = (input: string) =>
    runProgramSync(NODE, [BUNDLE, ...args, '--drift'], { cwd: folder, input, environment: {} });
  const same = drift(resources);
  assert.deepEqual([same.exitCode, same.stdout], [0, 'The cluster has what the list says.\n'], same.stderr);
  const other = drift(resources.replaceAll('refs/heads/release/*', 'refs/heads/*').replace('name: docs', 'name: dogs'));
  assert.equal(other.exitCode, 1);
  assert.match(other.stderr, /^code: SETUP_DRIFT$/m);
  assert.match(other.stdout, /^token "shop": allow_any is .*refs\/heads\/\*.* in the cluster, expected .*release/m);
  assert.match(other.stdout, /^bot "docs" is missing in the cluster$/m);

  assertRefused(await atHome(folder, args), { code: 'USAGE_INVALID', says: /resources\.yaml: already exists/ });
  assertRefused(await atHome(folder, ['init', '--drift']), {
    code: 'USAGE_INVALID',
    says: /--drift: needs --from-list/,
  });
  await writeFile(join(folder, 'list.csv'), LIST.replace('access,,true', ',,true').replace(PROJECT_ID, 'shop'));
  assertRefused(await atHome(folder, args), {
    code: 'USAGE_INVALID',
    says: /list\.csv line 2: project_id: "shop" is not an ID[^]*list\.csv line 3: roles: is missing/,
  });
});

test('flags for generic_oidc contradict the method circleci, and the repository must be known', async (t) => {
  const folder = await repository(t);
  for (const [flags, says] of [
    [['--join-method', 'circleci', '--branch', 'main'], /--branch: needs --join-method generic_oidc/],
    [['--branch', 'main'], /--vcs-origin: is missing: name the repository/],
    [['--allow-forks', '--vcs-origin', 'github.com/a/b'], /--allow-forks: conflicts with --vcs-origin/],
    [['--form', 'helm'], /--form: "helm" is not one of tctl, terraform, operator/],
    [['--join-method', 'iam'], /--join-method: "iam" is not one of circleci, generic_oidc/],
  ] as const) {
    assertRefused(await atHome(folder, [...FLAGS, ...flags]), { code: 'USAGE_INVALID', says });
  }
});

/** Replace programs that need more than an embedded cluster. Each fails if a file that it reads is missing. */
const STAND_INS = {
  kubectl: '[ "$1" = get ] && grep -q current-context "$KUBECONFIG" && echo "pods of dev"',
  curl: '[ -s "$3" ] && [ -s "$5" ] && echo "called $6"',
};

test('the generated job succeeds, and each step finds the files that it reads', async (t) => {
  const own = await clusterIn(authorities, t, {});
  const [home, source] = [await temporaryFolder(t), await repository(t)];
  const outputs = ['--ssh', '--kubernetes-cluster', 'dev', '--database', 'orders', '--application', 'dashboard'];
  const place = ['--roles', 'access', '--destination', join(home, "the job's", 'identity')];
  const init = await atHome(source, ['init', '--proxy', own.info.proxy, ...IDS, ...outputs, ...place]);
  assert.equal(init.exitCode, 0, init.stderr);
  const written = (name: string) => readFile(join(source, 'teleport', name), 'utf8');
  for (const name of ['bot.yaml', 'bot-token.yaml']) tctlCreate(own.resources, await written(name));
  const programs = await temporaryFolder(t);
  for (const [name, script] of Object.entries(STAND_INS)) {
    await writeFile(join(programs, name), `#!/bin/sh\n${script}\n`, { mode: 0o755 });
  }
  const config = (await written('circleci-config.yml')).replace(
    '- machine-id/install\n',
    `- machine-id/install: { bundle_path: ${BUNDLE} }\n`,
  );
  const { exitCode, steps } = await runJob({
    config,
    orbs: { 'machine-id': packedWith(await readFile(BUNDLE)) },
    job: 'teleport',
    home,
    checkoutFrom: source,
    environment: {
      CIRCLE_OIDC_TOKEN: await own.mint(),
      SSL_CERT_FILE: webCa,
      PATH: `${programs}:${process.env.PATH ?? ''}`,
    },
  });
  assert.equal(exitCode, 0, steps.map(({ name, stderr, stdout }) => `${name}: ${stdout}${stderr}`).join('\n'));
  const [identity, kubernetes, database, application] = steps.slice(-4).map(({ stdout }) => stdout);
  for (const certificate of [identity, database]) assert.match(certificate ?? '', /notAfter=/);
  assert.equal(kubernetes, 'pods of dev\n');
  assert.equal(application, `called https://dashboard.${own.info.proxy}/\n`);
});

const skip = terminalMissing ?? false;

test('at a terminal it asks, accepts defaults, and asks again after an invalid answer', { skip }, async (t) => {
  const job = await beginJob(t, cluster);
  const environment = {
    CIRCLECI: 'true',
    HOME: job.folder,
    CIRCLE_OIDC_TOKEN: await cluster.mint(),
    CIRCLE_PROJECT_REPONAME: 'x',
  };
  const terminal = startAtTerminal(['init'], { workingDirectory: job.checkout, environment });
  const enter = '\r';
  await terminal.answer(/Directory for the files \[teleport\]: $/, `ci${enter}`);
  await terminal.answer(/Web address .*: $/, `https://${proxy}${enter}`);
  await terminal.answer(/without a scheme.*\r\n.*Web address .*: $/s, `${proxy}${enter}`);
  await terminal.answer(new RegExp(`organization .*\\[${ORGANIZATION_ID}\\]: $`), enter);
  await terminal.answer(new RegExp(`project .*\\[${PROJECT_ID}\\]: $`), enter);
  await terminal.answer(new RegExp(`context .*\\[${CONTEXT_ID}\\]: $`), enter);
  await terminal.answer(/Name of that context .*: $/, `ops team${enter}`);
  await terminal.answer(/Name of the bot in Teleport \[circleci-app\]: $/, `robot${enter}`);
  await terminal.answer(/join token \(not a secret\) \[robot\]: $/, enter);
  await terminal.answer(/Roles .*: $/, enter);
  await terminal.answer(/tctl get roles.*\r\n.*Roles .*: $/s, `access${enter}`);
  await terminal.answer(/Branches that may deploy.*: $/, enter);
  await terminal.answer(/Kubernetes cluster .*: $/, enter);
  await terminal.answer(/Database .*: $/, `orders${enter}`);
  await terminal.answer(/User to log in .*: $/, `ci${enter}`);
  await terminal.answer(/Name of the database .*: $/, enter);
  await terminal.answer(/Application .*: $/, enter);
  await terminal.answer(/Also write an identity for ssh .*: $/, `y${enter}`);
  await terminal.answer(/Directory in the job .*\.teleport-identity\]: $/, enter);
  assert.equal(await terminal.ended, 0, terminal.screen());
  const { metadata, spec } = await tokenIn(join(job.checkout, 'ci'));
  assert.deepEqual([metadata.name, spec.bot_name, spec.circleci.allow], ['robot', 'robot', [RULE]]);
  const config = await readFile(join(job.checkout, 'ci/circleci-config.yml'), 'utf8');
  assert.match(config, /context: "ops team"/);
  const tbot = await readFile(join(job.checkout, 'ci/tbot.yaml'), 'utf8');
  assert.deepEqual(tbot.match(/type: (identity|database|kubernetes|application)/g), [
    'type: identity',
    'type: database',
  ]);
  assert.match(terminal.screen(), /tctl create -f ci\/bot\.yaml/);
});

test('several answers pasted at once are read one by one', { skip }, async (t) => {
  const folder = await repository(t);
  const args = ['init', '--directory', 'ci', ...IDS.slice(0, 4), '--kubernetes-cluster', 'dev'];
  const terminal = startAtTerminal(args, { workingDirectory: folder, environment: {} });
  await terminal.answer(/Web address/, [proxy, 'none', 'robot', '', 'access', '', '', ''].join('\r'));
  assert.equal(await terminal.ended, 0, terminal.screen());
  assert.deepEqual((await tokenIn(join(folder, 'ci'))).spec.circleci.allow, [{ project_id: PROJECT_ID }]);
  assert.match(terminal.screen(), /Roles of the bot.*: access\r\n/);
  assert.match(terminal.screen(), /every job of the project can become the bot/);
});

test('with branches, it also asks for tags, forks, the repository and reruns', { skip }, async (t) => {
  const folder = await repository(t);
  const args = ['init', '--directory', 'ci', ...IDS, '--kubernetes-cluster', 'dev'];
  const terminal = startAtTerminal(args, { workingDirectory: folder, environment: {} });
  const answers = [
    proxy,
    '',
    'robot',
    '',
    'access',
    'main, release/*',
    'v*',
    'n',
    '',
    'github.com/example/app',
    'y',
    '',
    '',
  ];
  await terminal.answer(/Web address/, answers.join('\r'));
  assert.equal(await terminal.ended, 0, terminal.screen());
  const text = await readFile(join(folder, 'ci/bot-token.yaml'), 'utf8');
  assert.match(text, /join_method: generic_oidc/);
  assert.match(text, /contains\(set\(claims\["oidc\.circleci\.com\/vcs-ref"\]\), "refs\/heads\/main"\)/);
  assert.match(text, /oidc\.circleci\.com\/vcs-origin: github\.com\/example\/app/);
  assert.doesNotMatch(text, /ssh-rerun: false/);
});

for (const [name, key] of [
  ['Ctrl-C', CTRL_C],
  ['Ctrl-D', CTRL_D],
] as const) {
  test(`${name} cancels without writing anything`, { skip }, async (t) => {
    const folder = await repository(t);
    const terminal = startAtTerminal(['init'], { workingDirectory: folder, environment: {} });
    await terminal.answer(/Directory for the files/, '\r');
    await terminal.answer(/Web address/, key);
    assert.equal(await terminal.ended, 1, terminal.screen());
    assert.match(terminal.screen(), /code: INTERRUPTED/);
    assert.deepEqual(await readdir(folder), []);
  });
}

test('--yes asks no questions, even at a terminal', { skip }, async (t) => {
  const folder = await repository(t);
  const terminal = startAtTerminal([...FLAGS, '--yes'], { workingDirectory: folder, environment: {} });
  assert.equal(await terminal.ended, 0, terminal.screen());
  assert.deepEqual((await readdir(join(folder, 'teleport'))).sort(), NAMES);
});
