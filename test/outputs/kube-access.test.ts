import assert from 'node:assert/strict';
import test from 'node:test';
import { MachineIdError } from '../../src/errors.ts';
import { parseContextTemplate } from '../../src/outputs/context-name.ts';
import { contextNames } from '../../src/outputs/kube-access.ts';

const clusters = [
  { name: 'dev', labels: { env: 'test' } },
  { name: 'prod', labels: {} },
];

function names(template: string): readonly string[] {
  const contextNameTemplate = parseContextTemplate(template) ?? [];
  return contextNames({ contextNameTemplate, path: 'outputs[1]' }, 'root.example.com', clusters);
}

test('each Kubernetes cluster has a context by the template', () => {
  assert.deepEqual(names('{{.KubeName}}.{{.ClusterName}}'), ['dev.root.example.com', 'prod.root.example.com']);
});

for (const [what, template, says] of [
  ['gives two clusters one name', 'same', /^outputs\[1\]\.context_name_template: .* the name "same"$/],
  ['names a label that a cluster lacks', '{{.Labels.env}}', /Kubernetes cluster "prod" has no label "env"$/],
] as const) {
  test(`a template that ${what} is refused`, () => {
    assert.throws(
      () => names(template),
      (error) => {
        assert.ok(error instanceof MachineIdError);
        assert.equal(error.code, 'RESOURCE_UNKNOWN');
        assert.match(error.message, says);
        return true;
      },
    );
  });
}
