import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MachineIdError } from '../../src/errors.ts';
import { supportedOutputs } from '../../src/outputs/supported.ts';
import { planOf, v2 } from '../config/plan-of.ts';

test('identity outputs to directories and memory are written', async () => {
  const plan = await planOf(
    v2(`outputs:
- {type: identity, destination: {type: directory, path: a}}
- {type: identity, destination: {type: memory}}
services:
- {type: application-proxy, listen: tcp://127.0.0.1:1}
`),
  );
  assert.deepEqual(supportedOutputs(plan), plan.outputs);
  assert.equal(plan.outputs.length, 2);
});

test('SSH hosts and workload identities are written', async () => {
  const plan = await planOf(
    v2(`outputs:
- {type: ssh_host, principals: [web-1], destination: {type: memory}}
- {type: spiffe-svid, svid: {path: /ci}, destination: {type: memory}}
- {type: workload-identity-x509, selector: {name: n}, destination: {type: memory}}
- {type: workload-identity-jwt, selector: {name: n}, audiences: [a], destination: {type: memory}}
`),
  );
  assert.deepEqual(
    supportedOutputs(plan).map(({ type }) => type),
    ['ssh_host', 'spiffe-svid', 'workload-identity-x509', 'workload-identity-jwt'],
  );
});

test('every output that a job does not write is named with its line, its reason and what to use instead', async () => {
  const plan = await planOf(
    v2(`outputs:
- {type: identity, destination: {type: kubernetes_secret, name: s}}
- {type: kubernetes/argo-cd, selectors: [{name: dev}]}
- {type: identity, delegation_session_id: d, destination: {type: memory}}
services:
- {type: kubernetes, kubernetes_cluster: dev, relay_server: r, destination: {type: memory}}
`),
  );
  assert.throws(
    () => {
      supportedOutputs(plan);
    },
    (error: unknown) => {
      assert.ok(error instanceof MachineIdError);
      assert.equal(error.code, 'OUTPUT_UNSUPPORTED');
      assert.equal(error.exitCode, 2);
      const [secret, argoCd, ...keys] = error.message.split('\n');
      assert.match(
        secret ?? '',
        /^outputs\[0\] \(line 5\): destination type "kubernetes_secret" is not written by a CI job/,
      );
      assert.match(secret ?? '', /use type "directory".*kubectl create secret generic NAME --from-file=DIR/);
      assert.match(
        argoCd ?? '',
        /^outputs\[1\] \(line 6\): output type "kubernetes\/argo-cd" is not written by a CI job/,
      );
      assert.match(argoCd ?? '', /run tbot next to that Argo CD.*"kubernetes\/v2"/);
      assert.deepEqual(keys, [
        'outputs[2] (line 7): delegation_session_id is not supported yet by this version',
        'services[0] (line 9): relay_server is not supported yet by this version',
      ]);
      return true;
    },
  );
});
