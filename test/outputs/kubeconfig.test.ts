import assert from 'node:assert/strict';
import test from 'node:test';
import { privateKeyPem } from '../../src/crypto/keys.ts';
import { kubeClusterPath, kubeconfig, type KubeconfigInput } from '../../src/outputs/kubeconfig.ts';
import { golden } from './golden.ts';
import { authorities, identity, ROOT } from './identity-input.ts';

const hostAuthorities = authorities.host.filter(({ clusterName }) => clusterName === ROOT);
const base64 = (text: string) => Buffer.from(text).toString('base64');

function expected(name: string): string {
  const certificates = hostAuthorities.flatMap(({ tlsCertificatesPem }) => tlsCertificatesPem);
  return golden('kubernetes', name)
    .replaceAll('<host authorities>', base64(certificates.join('')))
    .replace('<certificate>', base64(identity.tlsCertificatePem))
    .replace('<private key>', base64(privateKeyPem(identity.keyPair).reveal()));
}

const INLINE: KubeconfigInput = {
  endpoint: {
    address: { host: 'proxy.example.com', port: 443 },
    serverName: 'kube-teleport-proxy-alpn.proxy.example.com',
  },
  hostAuthorities,
  contexts: [{ name: 'root.example.com-dev', path: '', namespace: undefined }],
  userName: 'root.example.com-dev',
  credentials: { kind: 'inline', identity },
};

test('a kubeconfig for one Kubernetes cluster holds certificate, key and authorities', async () => {
  assert.deepEqual(await kubeconfig(INLINE), { name: 'kubeconfig.yaml', contents: expected('inline.yaml') });
});

test('a kubeconfig for several clusters separates them by path and may name a program instead of the certificate', async () => {
  const clusterName = 'tele.blackmesa.gov';
  const { contents } = await kubeconfig({
    ...INLINE,
    endpoint: { address: { host: 'kube.example.com', port: 3026 }, serverName: undefined },
    contexts: [
      { name: `${clusterName}-a`, path: kubeClusterPath(clusterName, 'a'), namespace: undefined },
      { name: 'yes', path: kubeClusterPath(clusterName, 'prod'), namespace: '1:20' },
    ],
    userName: clusterName,
    credentials: {
      kind: 'exec',
      command: '/usr/bin/node',
      args: ['/opt/machine-id.cjs', 'kube-credentials', '--destination-dir=/home/ci/my files #1'],
      nodeOptions: '--max-old-space-size=512',
    },
  });
  assert.equal(contents, expected('exec.yaml'));
});

test('a kubeconfig without a context is still one', async () => {
  const contents = String((await kubeconfig({ ...INLINE, contexts: [] })).contents);
  assert.match(contents, /^clusters: \[\]\ncontexts: \[\]\ncurrent-context: ""$/m);
});

test('an IPv6 address is in brackets', async () => {
  const endpoint = { address: { host: '::1', port: 3026 }, serverName: undefined };
  assert.match(String((await kubeconfig({ ...INLINE, endpoint })).contents), /server: https:\/\/\[::1\]:3026$/m);
});

test('names that are not plain ASCII go into the path by their UTF-8 bytes, without padding', () => {
  assert.equal(kubeClusterPath('é', '??>'), '/v1/teleport/w6k/Pz8-');
});
