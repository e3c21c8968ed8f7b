import assert from 'node:assert/strict';
import test from 'node:test';
import { contextName, DEFAULT_CONTEXT_TEMPLATE, parseContextTemplate } from '../../src/outputs/context-name.ts';

const cluster = { clusterName: 'root.example.com', kubeName: 'dev', labels: { env: 'test', 'a/b': 'c', empty: '' } };

for (const [template, name] of [
  ['{{.ClusterName}}-{{.KubeName}}', 'root.example.com-dev'],
  ['{{ .KubeName }}@{{.Labels.env}}', 'dev@test'],
  ['{{index .Labels "a/b"}}', 'c'],
  ['x{{.Labels.empty}}y', 'xy'],
  ['plain', 'plain'],
  ['{ {.KubeName} }', '{ {.KubeName} }'],
] as const) {
  test(`the template ${template} gives ${name}`, () => {
    assert.deepEqual(contextName(parseContextTemplate(template) ?? [], cluster), { name });
  });
}

test('the default template is the one that tbot has', () => {
  assert.deepEqual(DEFAULT_CONTEXT_TEMPLATE, parseContextTemplate('{{.ClusterName}}-{{.KubeName}}'));
});

for (const label of ['region', 'toString', '__proto__']) {
  test(`a cluster without the label ${label} has no name by it`, () => {
    const template = parseContextTemplate(`{{index .Labels "${label}"}}`) ?? [];
    assert.deepEqual(contextName(template, cluster), { missingLabel: label });
  });
}

for (const template of [
  '{{.Name}}',
  '{{.KubeName',
  '{{KubeName}}',
  '{{.Labels}}',
  '{{.KubeName | upper}}',
  '{{- .KubeName}}',
  '{{if .KubeName}}x{{end}}',
]) {
  test(`the template ${template} is not taken for text`, () => {
    assert.equal(parseContextTemplate(template), undefined);
  });
}
