import assert from 'node:assert/strict';
import test from 'node:test';
import type { ResourceQuery } from '../../src/auth/auth-api.ts';
import { MachineIdError } from '../../src/errors.ts';
import { type PaginatedResource, PaginatedResourceSchema } from '../../src/grpc/gen/teleport/legacy/authservice_pb.ts';
import { namePredicate } from '../../src/outputs/find-resource.ts';
import { findKubeCluster, selectKubeClusters } from '../../src/outputs/kube-access.ts';
import { received } from '../grpc/received.ts';

const DEV = { name: 'dev', labels: { env: 'test' } };
const PROD = { name: 'prod', labels: { env: 'live' } };

function served(...clusters: readonly (typeof DEV)[]): PaginatedResource[] {
  return clusters.map((metadata) =>
    received(PaginatedResourceSchema, {
      resource: { case: 'kubernetesServer', value: { spec: { cluster: { metadata } } } },
    }),
  );
}

/** Answers each query with what stands under its predicate or its labels. */
function lister(answers: Readonly<Record<string, PaginatedResource[]>>) {
  const asked: ResourceQuery[] = [];
  const listResources = (query: ResourceQuery): Promise<PaginatedResource[]> => {
    asked.push(query);
    return Promise.resolve(answers[query.predicate] ?? answers[JSON.stringify(query.labels)] ?? []);
  };
  return { asked, listResources };
}

const selector = (fields: object) => ({ name: undefined, labels: {}, defaultNamespace: undefined, ...fields });

test('a Kubernetes cluster is asked for by its name, whichever agents serve it', async () => {
  const api = lister({ [namePredicate('dev')]: served(DEV, DEV) });
  assert.deepEqual(await findKubeCluster(api, 'dev', 'outputs[0].kubernetes_cluster'), DEV);
  assert.deepEqual(api.asked, [{ resourceType: 'kube_server', predicate: namePredicate('dev'), labels: {} }]);
});

test('a server without a cluster does not count', async () => {
  const api = lister({ [namePredicate('dev')]: [received(PaginatedResourceSchema, {})] });
  await assert.rejects(
    findKubeCluster(api, 'dev', 'outputs[0].kubernetes_cluster'),
    (error) => error instanceof MachineIdError && error.code === 'RESOURCE_UNKNOWN',
  );
});

test('selectors keep their order, those of one are sorted, and the first that fits a cluster gives its namespace', async () => {
  const api = lister({
    [namePredicate('prod')]: served(PROD),
    '{"team":"a"}': served(PROD, { name: 'beta', labels: { env: 'x' } }, DEV, DEV),
  });
  const selectors = [
    selector({ name: 'prod', defaultNamespace: 'web' }),
    selector({ labels: { team: 'a' }, defaultNamespace: 'other' }),
  ];
  const { clusters, warnings } = await selectKubeClusters(api, selectors, 'outputs[0]');
  assert.deepEqual(
    clusters.map(({ name, namespace }) => [name, namespace]),
    [
      ['prod', 'web'],
      ['beta', 'other'],
      ['dev', 'other'],
    ],
  );
  assert.deepEqual(warnings, []);
});

test('labels that no cluster has are a warning beside a cluster that fits', async () => {
  const api = lister({ [namePredicate('dev')]: served(DEV) });
  const selectors = [selector({ labels: { a: 'b', c: 'd' } }), selector({ name: 'dev' })];
  const { clusters, warnings } = await selectKubeClusters(api, selectors, 'o');
  assert.deepEqual(
    clusters.map(({ name }) => name),
    ['dev'],
  );
  assert.deepEqual(warnings, ['o.selectors[0]: no Kubernetes cluster that the output may use has a=b, c=d']);
});

test('selectors that fit no cluster at all are a failure', async () => {
  const selectors = [selector({ labels: { a: 'b' } }), selector({ labels: { '*': '*' } })];
  await assert.rejects(selectKubeClusters(lister({}), selectors, 'o'), (error) => {
    assert.ok(error instanceof MachineIdError);
    assert.equal(error.code, 'RESOURCE_UNKNOWN');
    assert.deepEqual(error.message.split('\n'), [
      'o.selectors[0]: no Kubernetes cluster that the output may use has a=b',
      'o.selectors[1]: no Kubernetes cluster that the output may use has *=*',
    ]);
    assert.match(error.hint, /^Labels are compared literally, so that "\*" is not a wildcard: /);
    return true;
  });
});

test('a name that no cluster has is a failure', async () => {
  await assert.rejects(selectKubeClusters(lister({}), [selector({ name: 'dev' })], 'o'), (error) => {
    assert.ok(error instanceof MachineIdError);
    assert.equal(error.code, 'RESOURCE_UNKNOWN');
    assert.match(error.message, /^o\.selectors\[0\]\.name: Kubernetes cluster "dev" not found$/);
    return true;
  });
});
