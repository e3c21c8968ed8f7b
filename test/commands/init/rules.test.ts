/** The rules that init generates: proven by the product's evaluator and by the embedded cluster's, and read back. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { FieldName } from '../../../src/commands/init/fields.ts';
import { proveRules } from '../../../src/commands/init/prove.ts';
import { setupFiles, tbotConfig } from '../../../src/commands/init/render.ts';
import { type Answers, FORMS, type Setup } from '../../../src/commands/init/setup.ts';
import { decide } from '../../../src/rules/decide.ts';
import type { Claims } from '../../../src/rules/json.ts';
import { lintToken } from '../../../src/rules/lint.ts';
import { readResources } from '../../../src/rules/read-resources.ts';
import type { JoinToken } from '../../../src/rules/resource.ts';
import { variantsOf } from '../../../src/rules/variants.ts';
import { GoPanic, Refusal } from '../../cluster/generic-oidc/go-values.ts';
import { requireAdmitted } from '../../cluster/generic-oidc/rules.ts';
import { GenericOidcResource, genericOidcSpec } from '../../cluster/generic-oidc/token-spec.ts';
import { planOf } from '../../config/plan-of.ts';
import { CONTEXT, ORGANIZATION, PROJECT, setupOf } from './setup-of.ts';

const PLACE = { pathInRepository: 'teleport/', pathFromHere: 'teleport/', version: '0.1.0' };
const SECOND = 'cccccccc-cccc-4ddd-8eee-ffffffffffff';
const ORIGIN = { vcsOrigin: 'github.com/example/app' };

interface Wanted {
  readonly texts: Partial<Record<FieldName, string | undefined>>;
  readonly choices?: Partial<Answers>;
  /** Which of the variants of an allowed job are allowed too. */
  readonly admits?: readonly string[];
}

const ALWAYS = ['pipeline-definition', 'user'];

const WANTED: Readonly<Record<string, Wanted>> = {
  'one branch': { texts: { ...ORIGIN, branches: 'main' } },
  'branches and tags': { texts: { ...ORIGIN, branches: 'main,release/*', tags: 'v*' } },
  'two branches and two contexts': {
    texts: { ...ORIGIN, branches: 'main,next', contextId: `${CONTEXT},${SECOND}` },
  },
  'any tag': { texts: { ...ORIGIN, tags: '*' }, admits: ['tag'] },
  'without a context': {
    texts: { ...ORIGIN, branches: 'main', contextId: undefined },
    choices: { withoutContext: true },
    admits: ['context'],
  },
  'forks and reruns': {
    texts: { branches: 'main' },
    choices: { allowsForks: true, allowsSshRerun: true },
    admits: ['fork', 'ssh-rerun'],
  },
  'any branch': {
    texts: ORIGIN,
    choices: { joinMethod: 'generic_oidc' },
    admits: ['branch', 'tag'],
  },
  'a CircleCI Server': {
    texts: { ...ORIGIN, branches: 'main', issuer: `https://circleci.example.com/org/${ORGANIZATION}` },
  },
  'a branch that needs escapes': { texts: { ...ORIGIN, branches: 'it${x}%{y},żółć' } },
};

function tokenOf(setup: Setup): JoinToken {
  for (const { contents, name } of setupFiles(setup, PLACE)) {
    if (name !== 'bot-token.yaml' && name !== 'teleport.tf') continue;
    const { resources, warnings } = readResources(contents, name);
    assert.deepEqual(warnings, []);
    const token = resources.find((one) => one.kind === 'token');
    assert.ok(token?.kind === 'token');
    return token;
  }
  assert.fail('no token');
}

/** A job that the rule is for. */
function jobOf({ generic, contextIds }: Setup): Claims {
  const issuer = generic?.issuer ?? `https://oidc.circleci.com/org/${ORGANIZATION}`;
  return {
    iss: issuer,
    aud: generic?.audience ?? ORGANIZATION,
    sub: `org/${ORGANIZATION}/project/${PROJECT}/user/u`,
    'oidc.circleci.com/org-id': ORGANIZATION,
    'oidc.circleci.com/project-id': PROJECT,
    'oidc.circleci.com/pipeline-definition-id': 'd',
    'oidc.circleci.com/context-ids': contextIds.slice(-1).map(({ text }) => text),
    'oidc.circleci.com/vcs-origin': 'github.com/example/app',
    'oidc.circleci.com/vcs-ref': (generic?.refs.at(-1) ?? 'refs/heads/x').replaceAll('*', '1.2'),
    'oidc.circleci.com/ssh-rerun': false,
  };
}

/** The cluster's evaluator has the last word. */
function clusterAdmits({ genericOidc }: JoinToken, claims: Claims): boolean {
  assert.ok(genericOidc !== undefined);
  const { allowAny, audience, issuer, mustMatchFields } = genericOidc;
  const entries = allowAny.map((entry) => ('expression' in entry ? { expression: entry.expression } : assert.fail()));
  const resource = { issuer, audience, must_match_fields: mustMatchFields, allow_any: entries };
  try {
    requireAdmitted(genericOidcSpec(GenericOidcResource.parse(resource)), claims);
    return true;
  } catch (error) {
    assert.ok(!(error instanceof GoPanic), String(error));
    assert.ok(error instanceof Refusal, String(error));
    return false;
  }
}

for (const form of FORMS) {
  describe(`in the form for ${form}`, () => {
    for (const [name, { admits = [], choices, texts }] of Object.entries(WANTED)) {
      test(`${name}: the token admits what was asked for and nothing else`, async () => {
        const setup = await setupOf(texts, { ...choices, form });
        const token = tokenOf(setup);
        assert.equal(token.form, form);
        const job = jobOf(setup);
        const jobs = [{ name: 'job', claims: job }, ...variantsOf(job)];
        const admitted = jobs.filter(({ claims }) => {
          const { outcome, panics, reason } = decide(token, { source: 'a job', claims }, 0);
          assert.equal(panics, false, reason);
          assert.equal(outcome === 'admitted', clusterAdmits(token, claims), reason);
          return outcome === 'admitted';
        });
        assert.deepEqual(admitted.map((one) => one.name).sort(), ['job', ...admits, ...ALWAYS].sort());
        const proven = proveRules(setup, setupFiles(setup, PLACE));
        assert.ok(proven.some((one) => one.admitted));
        if (admits.length < 2) assert.ok(proven.filter((one) => !one.admitted).length >= 6);
      });

      test(`${name}: lint finds no error, and warns only of what was asked for`, async () => {
        const found = lintToken(tokenOf(await setupOf(texts, { ...choices, form })));
        assert.deepEqual(
          found.filter(({ level }) => level === 'error'),
          [],
        );
        const warnings = found.filter(({ level }) => level === 'warning').map(({ id }) => id);
        const expected = { fork: 'any-origin', 'ssh-rerun': 'any-rerun', branch: 'any-branch' };
        assert.deepEqual(
          warnings.sort(),
          Object.entries(expected)
            .filter(([admitted]) => admits.includes(admitted))
            .map(([, id]) => id)
            .sort(),
        );
      });
    }

    test('the method circleci is written too, with one rule for each context', async () => {
      const setup = await setupOf({ contextId: `${CONTEXT},${SECOND}` }, { form });
      const { joinMethod, rules } = tokenOf(setup);
      assert.equal(joinMethod, 'circleci');
      assert.deepEqual(
        rules.map(({ rule }) => rule),
        [CONTEXT, SECOND].map((contextId) => ({ projectId: PROJECT, contextId })),
      );
      const rejected = proveRules(setup, setupFiles(setup, PLACE)).filter(({ admitted }) => !admitted);
      assert.equal(rejected.length, 3);
    });
  });
}

test('a token that decides otherwise than the setup says is not written', async () => {
  const setup = await setupOf({ ...ORIGIN, branches: 'main' });
  const files = setupFiles(await setupOf({ ...ORIGIN, branches: 'main,machine-id-probe' }), PLACE);
  assert.throws(() => proveRules(setup, files), /decides otherwise about jobs on a branch of any other name/);
});

test('only the form for Terraform uses a bare index, for the boolean, after everything else', async () => {
  for (const form of FORMS) {
    const setup = await setupOf({ ...ORIGIN, branches: 'main' }, { form });
    const notes = lintToken(tokenOf(setup)).filter(({ id }) => id === 'bare-claim');
    assert.equal(notes.length, form === 'terraform' ? 1 : 0);
    if (form === 'terraform') {
      const [entry] = tokenOf(setup).genericOidc?.allowAny ?? [];
      assert.ok(entry !== undefined && 'expression' in entry);
      assert.match(entry.expression, /&&\s*!claims\["oidc\.circleci\.com\/ssh-rerun"\]\s*$/);
    }
  }
});

test('tbot.yaml gets an OIDC token for the audience from CircleCI', async () => {
  const setup = await setupOf({ ...ORIGIN, branches: 'main' });
  const { tokenRequest, warnings } = await planOf(tbotConfig(setup));
  assert.deepEqual(warnings, []);
  assert.ok(tokenRequest.joinMethod === 'generic_oidc' && tokenRequest.source?.kind === 'command');
  assert.deepEqual(
    [tokenRequest.source.program, ...tokenRequest.source.args],
    ['circleci', 'run', 'oidc', 'get', '--claims', '{"aud":"example.teleport.sh/circleci-app"}'],
  );
});
