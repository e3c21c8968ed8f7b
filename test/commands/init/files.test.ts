import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { parse } from 'yaml';
import { z } from 'zod';
import type { Setup } from '../../../src/commands/init/setup.ts';
import { asOneStream, circleciConfig, nextSteps, setupFiles, tbotConfig } from '../../../src/commands/init/render.ts';
import { botFile, tokenFile } from '../../../src/commands/init/render-resources.ts';
import { schemaChecker, schemaMissing } from '../../circleci-schema.ts';
import { planOf } from '../../config/plan-of.ts';
import { resolveJob } from '../../job-runner/job.ts';
import { packedWith, version } from '../../orb/source.ts';
import { CONTEXT, ORGANIZATION, PROJECT, setupOf } from './setup-of.ts';

const PLACE = { pathInRepository: 'teleport/', pathFromHere: 'teleport/', version };

/** Asserts that YAML 1.1 and 1.2 read the same, and that there are no characters that some readers treat as line breaks. */
function read(text: string): unknown {
  assert.doesNotMatch(text, /[\u0085\u2028\u2029\u202e\ufeff]/);
  const one: unknown = parse(text, { version: '1.2' });
  assert.deepEqual(one, parse(text, { version: '1.1' }));
  return one;
}

const HOSTILE = [
  `it's "quoted"`,
  'a: b',
  'a #b',
  '- a',
  '--flag',
  'two\nlines',
  'a\r\nb\u0085c\u2028d',
  'zażółć 🚀',
  '\u202egnp.exe',
  '\ufeffmark',
  '{a: [b',
  '*alias &anchor !tag',
  '<< parameters.x >>',
  '%directive',
  'null',
  'yes',
  '0x10',
  '12:30:45',
  '1e3',
  '2026-01-01',
  '  blanks  ',
  'colon:',
  'back\\slash',
  '${HOME} $(id) `id`',
];

describe('every name survives writing and reading unchanged', () => {
  for (const name of HOSTILE) {
    test(JSON.stringify(name), async () => {
      const setup: Setup = { ...(await setupOf()), bot: name, token: name, roles: [name, 'other'], contextName: name };
      assert.deepEqual(read(botFile(setup)), {
        kind: 'bot',
        version: 'v1',
        metadata: { name },
        spec: { roles: [name, 'other'] },
      });
      assert.deepEqual(read(tokenFile(setup)), {
        kind: 'token',
        version: 'v2',
        metadata: { name },
        spec: {
          roles: ['Bot'],
          join_method: 'circleci',
          bot_name: name,
          circleci: { organization_id: ORGANIZATION, allow: [{ project_id: PROJECT, context_id: CONTEXT }] },
        },
      });
      assert.equal(
        z.object({ onboarding: z.object({ token: z.string() }) }).parse(read(tbotConfig(setup))).onboarding.token,
        name,
      );
      const jobs = z.object({ workflows: z.object({ teleport: z.object({ jobs: z.tuple([z.unknown()]) }) }) });
      const [job] = jobs.parse(read(circleciConfig(setup, PLACE))).workflows.teleport.jobs;
      assert.deepEqual(job, { teleport: { context: name.replaceAll('<<', '\\<<') } });
    });
  }

  test('the source of an ID cannot end a comment', async () => {
    const { projectId, ...setup } = await setupOf();
    const text = tokenFile({ ...setup, projectId: { ...projectId, origin: 'a\nkind: role\u2028kind: user' } });
    assert.deepEqual(read(text), read(tokenFile({ ...setup, projectId })));
  });
});

test('without a context, the rule has only the project, and the job has no context', async () => {
  const setup: Setup = { ...(await setupOf()), contextIds: [] };
  const Token = z.object({ spec: z.object({ circleci: z.object({ allow: z.unknown() }) }) });
  assert.deepEqual(Token.parse(read(tokenFile(setup))).spec.circleci.allow, [{ project_id: PROJECT }]);
  assert.match(tokenFile(setup), /# - every job of that project, with any context or none/);
  const Config = z.object({ workflows: z.object({ teleport: z.object({ jobs: z.unknown() }) }) });
  assert.deepEqual(Config.parse(read(circleciConfig(setup, PLACE))).workflows.teleport.jobs, ['teleport']);
});

const OUTPUTS = {
  'nothing asked for': {},
  'a Kubernetes cluster': { kubernetesCluster: "pro: 'd" },
  'a database': { database: 'on', databaseUser: 'ci@example', databaseName: '007' },
  'an application': { application: `dash"board <<` },
  all: { kubernetesCluster: 'k', database: 'd', application: 'a' },
};

for (const [what, texts] of Object.entries(OUTPUTS)) {
  describe(`with ${what}`, () => {
    test('run reads the same outputs from tbot.yaml as from the flags, without a warning', async () => {
      const setup = await setupOf(texts);
      const plan = await planOf(tbotConfig(setup));
      const plain = (outputs: readonly object[]) =>
        outputs.map((one) => ({ ...one, line: undefined, path: undefined }));
      assert.deepEqual(plain(plan.outputs), plain(setup.outputs));
      assert.equal(plan.address.value, setup.proxy);
      assert.equal(plan.token, setup.token);
      assert.deepEqual(plan.warnings, []);
    });

    test('the config compiles with this version of the orb and has a step for each output', async () => {
      const setup = await setupOf(texts);
      const text = circleciConfig(setup, PLACE);
      assert.match(text, new RegExp(`teleport/machine-id@${version.replaceAll('.', '\\.')}\\n`));
      const { steps } = resolveJob({
        config: text,
        orbs: { 'machine-id': packedWith('the script') },
        job: 'teleport',
      });
      const ran = steps.slice(-setup.outputs.length).map((step) => (step.kind === 'run' ? step.command : ''));
      assert.equal(ran.filter((command) => /openssl|kubectl|curl/.test(command)).length, setup.outputs.length);
      assert.ok(ran.every((command) => !command.includes('\\<<')));
    });

    test("the config follows CircleCI's schema", { skip: schemaMissing ?? false }, async () => {
      const check = await schemaChecker();
      assert.deepEqual(check(circleciConfig(await setupOf(texts), PLACE)), []);
    });
  });
}

test('all files together form one YAML stream', async () => {
  const files = setupFiles(await setupOf(), PLACE);
  const stream = asOneStream(files, 'teleport/');
  assert.deepEqual(
    stream.split('---\n').slice(1).map(read),
    files.map(({ contents }) => read(contents)),
  );
  assert.match(stream, /^---\n# teleport\/bot\.yaml\n/);
});

test('the commands name the files where they are, and quote what a shell would change', async () => {
  const setup = await setupOf({ roles: 'deployer,editor' });
  const text = nextSteps(setup, { ...PLACE, pathFromHere: "-my folder's/" }, 'machine-id');
  assert.match(text, /^ +tctl create -f '\.\/-my folder'\\''s\/bot\.yaml'$/m);
  assert.match(text, /^ +tctl bots add circleci-app --roles=deployer,editor --token=circleci-app$/m);
});
