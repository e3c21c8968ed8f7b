import assert from 'node:assert/strict';
import test from 'node:test';
import { MachineIdError } from '../../src/errors.ts';
import { findResource, namePredicate, onceEach } from '../../src/outputs/find-resource.ts';

const discovered = (name: string, short: string) => ({ name, labels: { 'teleport.internal/discovered-name': short } });
const dev = { name: 'dev', labels: {} };
const found = [
  discovered('dev-eks-1', 'dev'),
  dev,
  dev,
  discovered('stage-eks-1', 'stage'),
  discovered('stage-eks-1', 'stage'),
  discovered('shared-eks-2', 'shared'),
  discovered('shared-eks-1', 'shared'),
];
const find = (name: string) =>
  findResource(found, { name, kind: 'Kubernetes cluster', location: 'outputs[0].kubernetes_cluster', hint: 'Look.' });

test('a resource of the very name wins over one that was discovered under it', () => {
  assert.equal(find('dev'), dev);
});

test('the only resource discovered under a name is found by it, however many agents serve it', () => {
  assert.equal(find('stage').name, 'stage-eks-1');
});

test('a name under which several resources were discovered is refused with all of them', () => {
  assert.throws(
    () => find('shared'),
    (error) => {
      assert.ok(error instanceof MachineIdError);
      assert.equal(error.code, 'RESOURCE_UNKNOWN');
      assert.match(error.message, /outputs\[0\]\.kubernetes_cluster: "shared" .*: shared-eks-1, shared-eks-2$/);
      return true;
    },
  );
});

test('a resource that is not there is refused by its location, its kind and its name', () => {
  assert.throws(
    () => find('nowhere\n'),
    (error) => {
      assert.ok(error instanceof MachineIdError);
      assert.equal(error.code, 'RESOURCE_UNKNOWN');
      assert.equal(error.message, 'outputs[0].kubernetes_cluster: Kubernetes cluster "nowhere" not found');
      assert.equal(error.hint, 'Look.');
      return true;
    },
  );
});

test('a predicate quotes the name, so that no name can change its meaning', () => {
  assert.equal(
    namePredicate('x" || name != "'),
    String.raw`(name == "x\" || name != \"") || (labels["teleport.internal/discovered-name"] == "x\" || name != \"")`,
  );
});

test('of several agents of one resource the first is kept, in order', () => {
  assert.deepEqual(onceEach([discovered('b', '1'), discovered('a', '2'), discovered('b', '3')]), [
    discovered('b', '1'),
    discovered('a', '2'),
  ]);
});
