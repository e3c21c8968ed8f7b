import assert from 'node:assert/strict';
import test from 'node:test';
import { identityFile } from '../../src/outputs/identity-files.ts';
import { kubernetesV2Files } from '../../src/outputs/kubernetes-v2.ts';
import { kubernetesFiles } from '../../src/outputs/kubernetes.ts';
import { AUTHORITY_FILES, IDENTITY_FILES, WRITE_TEST } from '../output-files.ts';
import { authorities, identity } from './identity-input.ts';

const input = {
  identity,
  authorities,
  kubeconfig: {
    endpoint: { address: { host: 'proxy.example.com', port: 443 }, serverName: undefined },
    hostAuthorities: authorities.host,
    contexts: [],
    userName: 'u',
    credentials: { kind: 'inline', identity },
  },
} as const;

test('a kubernetes output has its files in the order in which tbot writes them', async () => {
  const files = await kubernetesFiles(input);
  assert.deepEqual(
    files.map(({ name }) => name),
    [...IDENTITY_FILES, WRITE_TEST, ...AUTHORITY_FILES, 'kubeconfig.yaml'],
  );
  assert.equal(files[0]?.contents, identityFile(identity, authorities.host));
});

test('a kubernetes/v2 output has the host authorities alone', async () => {
  assert.deepEqual(
    (await kubernetesV2Files(input)).map(({ name }) => name),
    [...IDENTITY_FILES, WRITE_TEST, 'kubeconfig.yaml', 'teleport-host-ca.crt'],
  );
});
