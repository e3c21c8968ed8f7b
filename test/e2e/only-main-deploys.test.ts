/** docs/how-to/only-main-deploys.md: its commands write its tokens, and each row of its table is what they decide. */
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import test from 'node:test';
import { parse } from 'yaml';
import { decide } from '../../src/rules/decide.ts';
import type { Claims, Json } from '../../src/rules/json.ts';
import { readResources } from '../../src/rules/read-resources.ts';
import { blocks, textOf } from '../docs/documents.ts';
import { sections, tableRows } from '../docs/markdown.ts';
import { isMapping, mapping, text } from '../job-runner/mapping.ts';
import { temporaryFolder } from '../temporary-folder.ts';
import { runBundle } from './run-bundle.ts';

const PAGE = 'docs/how-to/only-main-deploys.md';
const ofPage = blocks.filter(({ place }) => place.startsWith(PAGE));

function tokenTextOf(method: string): string {
  const block = ofPage.find(
    (one) => one.language === 'yaml' && one.text.includes(`join_method: ${method}\n  bot_name`),
  );
  assert.ok(block !== undefined, method);
  return block.text;
}

const METHODS = ['generic_oidc', 'circleci'] as const;

for (const method of METHODS) {
  test(`the page's init command writes its token of the method ${method}`, async (t) => {
    const command = ofPage.find(
      ({ language, text: script }) =>
        language === 'sh' && script.includes('--join-method circleci') === (method === 'circleci'),
    );
    const words = command?.text.replaceAll('\\\n', ' ').trim().split(/\s+/) ?? [];
    assert.deepEqual(words.slice(0, 3), ['node', '~/.teleport-machine-id/machine-id.cjs', 'init']);
    const folder = await temporaryFolder(t);
    const run = await runBundle(words.slice(2), { workingDirectory: folder, environment: { PATH: '/usr/bin:/bin' } });
    assert.deepEqual([run.exitCode, run.stderr], [0, '']);
    const written: unknown = parse(await readFile(join(folder, 'teleport/bot-token.yaml'), 'utf8'));
    assert.deepEqual(written, parse(tokenTextOf(method)));
  });
}

const ORGANIZATION = '11111111-2222-4333-8444-555555555555';
const OTHER_ID = '99999999-8888-4777-8666-555555555555';

/** A push to main, with a token for this audience. */
function pushToMain(audience: string): Claims {
  return {
    iss: `https://oidc.circleci.com/org/${ORGANIZATION}`,
    aud: audience,
    sub: `org/${ORGANIZATION}/project/66666666-7777-4888-9999-aaaaaaaaaaaa/user/u`,
    'oidc.circleci.com/org-id': ORGANIZATION,
    'oidc.circleci.com/project-id': '66666666-7777-4888-9999-aaaaaaaaaaaa',
    'oidc.circleci.com/context-ids': ['bbbbbbbb-cccc-4ddd-8eee-ffffffffffff'],
    'oidc.circleci.com/vcs-origin': 'github.com/example/app',
    'oidc.circleci.com/vcs-ref': 'refs/heads/main',
    'oidc.circleci.com/ssh-rerun': false,
  };
}

/** `claim: value` as the page writes it; undefined for a claim that the token lacks. */
function difference(part: string): readonly [string, Json | undefined] {
  const [, name = '', value = ''] = /^([\w-]+): (.+)$/.exec(part) ?? assert.fail(part);
  if (name === 'aud') return [name, ORGANIZATION];
  const claim = `oidc.circleci.com/${name}`;
  if (name === 'context-ids') return [claim, value === 'none' ? [] : [OTHER_ID]];
  if (name === 'project-id') return [claim, OTHER_ID];
  if (name === 'ssh-rerun') return [claim, value === 'true'];
  assert.match(name, /^vcs-(?:origin|ref)$/);
  return [claim, value === 'none' ? undefined : value];
}

function outcome(method: string, cell: string): string {
  const [token] = readResources(tokenTextOf(method), PAGE).resources;
  assert.ok(token?.kind === 'token');
  const usual = method === 'circleci' ? ORGANIZATION : audienceOf(method);
  const claims = new Map<string, Json | undefined>(Object.entries(pushToMain(usual)));
  for (const part of cell === 'no difference' ? [] : cell.split(', ')) claims.set(...difference(part));
  const known = [...claims].flatMap(([name, value]) => (value === undefined ? [] : [[name, value] as const]));
  const decision = decide(token, { source: PAGE, claims: Object.fromEntries(known) }, 0);
  assert.equal(decision.panics, false);
  return decision.outcome === 'admitted' ? 'joins' : decision.outcome;
}

function audienceOf(method: string): string {
  const { spec } = mapping(parse(tokenTextOf(method)), PAGE);
  assert.ok(isMapping(spec));
  return text(mapping(spec[method], method).audience, 'audience');
}

test('each row of the table is what the tokens of the page decide', () => {
  const section = sections(textOf(PAGE)).find(({ heading }) => heading === 'What each method enforces');
  const rows = tableRows(section?.text ?? '');
  assert.ok(rows.length >= 15);
  for (const [job = '', claims = '', circleci, genericOidc] of rows) {
    assert.deepEqual([outcome('circleci', claims), outcome('generic_oidc', claims)], [circleci, genericOidc], job);
  }
});

test("the job's audience is the token's", () => {
  const steps = ofPage.find(({ text: yaml }) => yaml.startsWith('- ') && yaml.includes('join_method: generic_oidc'));
  assert.ok(steps?.text.includes(`audience: ${audienceOf('generic_oidc')}\n`));
});
