import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'node:test';
import ts from 'typescript';
import { ERROR_CODES } from '../../src/errors.ts';
import { grpcStatus } from '../../src/grpc/status.ts';
import { ANSWERS, matches, rowsBelow } from './answers.ts';

const CLUSTER = 'test/cluster';

function parsed(path: string): ts.SourceFile {
  return ts.createSourceFile(path, readFileSync(path, 'utf8'), ts.ScriptTarget.Latest, true);
}

function nodesOf(root: ts.Node): readonly ts.Node[] {
  const nodes: ts.Node[] = [root];
  ts.forEachChild(root, (child) => void nodes.push(...nodesOf(child)));
  return nodes;
}

/** With `…` for each part that is computed. */
function textOf(node: ts.Node): string | undefined {
  if (ts.isStringLiteral(node) || ts.isNoSubstitutionTemplateLiteral(node)) return node.text;
  if (!ts.isTemplateExpression(node)) return undefined;
  return node.head.text + node.templateSpans.map(({ literal }) => `…${literal.text}`).join('');
}

function textsIn(root: ts.Node): readonly string[] {
  return nodesOf(root).flatMap((node) => textOf(node) ?? []);
}

const MAKERS = ['accessDenied', 'badParameter', 'notFound'];
/** Words of the code, not of an answer, and what only joins other texts. */
const NOT_ANSWERS = /^[\w.]{0,12}$|^ $|^verifying token\n\t…$|^request: …$|^discovering oidc document/;

/** What the embedded cluster refuses with: the last argument of whatever makes such an error. */
function refusalsOf(path: string): readonly string[] {
  const made = nodesOf(parsed(path)).flatMap((node): readonly string[] => {
    if (ts.isCallExpression(node) && MAKERS.includes(node.expression.getText())) {
      const [text] = node.arguments;
      return text === undefined ? [] : textsIn(text);
    }
    if (ts.isNewExpression(node) && node.expression.getText() === 'TeleportError') {
      const [, text] = node.arguments ?? [];
      return text === undefined ? [] : textsIn(text);
    }
    const inOidc = path.endsWith('oidc-errors.ts') && ts.isReturnStatement(node) && node.expression;
    return inOidc ? textsIn(inOidc) : [];
  });
  return made.filter((text) => !NOT_ANSWERS.test(text));
}

const sources = readdirSync(CLUSTER, { recursive: true, encoding: 'utf8' }).filter(
  (name) => name.endsWith('.ts') && !name.endsWith('.test.ts'),
);
const refusals = [...new Set(sources.flatMap((name) => refusalsOf(join(CLUSTER, name))))];

test('every refusal of the embedded cluster has its row', () => {
  assert.ok(refusals.length > 50, `only ${String(refusals.length)} refusals were found`);
  assert.ok(refusals.includes('id token claims did not match any allow rules'));
  assert.ok(refusals.includes('token has expired'));
  const rows = [...rowsBelow('Responses to a join'), ...rowsBelow('Responses to calls')];
  assert.deepEqual(
    refusals.filter((text) => !rows.some((row) => matches(row, text))),
    [],
  );
});

test('every way in which the embedded cluster can misbehave has its row', () => {
  const faults = nodesOf(parsed(join(CLUSTER, 'faults.ts')))
    .filter((node) => ts.isLiteralTypeNode(node))
    .flatMap((node) => textsIn(node));
  assert.ok(faults.includes('truncated') && faults.includes('silent-after-tls') && faults.includes('for-other-key'));
  const told = rowsBelow('Certificates and responses that are rejected').flatMap(({ answer }) => answer.split(', '));
  assert.deepEqual([...new Set(faults)].sort(), told.toSorted());
});

test('every status of gRPC has its row', () => {
  const names = Array.from({ length: 17 }, (_, number) => grpcStatus(number)).filter((name) => name !== 'OK');
  const rows = rowsBelow('Statuses of HTTP and gRPC');
  for (const name of names) {
    const wanted = name.replace(/([a-z])([A-Z])/g, '$1_$2').toUpperCase();
    assert.ok(
      rows.some(({ answer }) => answer.split(/[ ,]+/).includes(wanted)),
      wanted,
    );
  }
});

test('every row names a code of this program and what to do', () => {
  const codes: readonly string[] = ERROR_CODES;
  for (const { answer, code, remedy } of ANSWERS) {
    for (const one of code.split(', ')) assert.ok(one === '–' || codes.includes(one), `${answer}: ${code}`);
    assert.ok(remedy.length > 10, answer);
  }
});
