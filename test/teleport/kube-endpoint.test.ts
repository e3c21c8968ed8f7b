import assert from 'node:assert/strict';
import test from 'node:test';
import { kubeEndpoint, kubeListener } from '../../src/teleport/kube-endpoint.ts';

const webAddress = { host: 'proxy.example.com', port: 443 };
const SHARED = { tlsRouting: true, webAddress, kube: kubeListener('kube.example.com:3026', '0.0.0.0:3026') };
const SEPARATE = { ...SHARED, tlsRouting: false };

test('with TLS routing kubectl goes to the web address, whatever address the Kubernetes listener has', () => {
  assert.deepEqual(kubeEndpoint(SHARED), {
    address: webAddress,
    serverName: 'kube-teleport-proxy-alpn.proxy.example.com',
  });
});

for (const host of ['127.0.0.1', '::1', 'localhost']) {
  test(`a Proxy at ${host} is known to kubectl below Teleport's own domain`, () => {
    assert.equal(
      kubeEndpoint({ ...SHARED, webAddress: { host, port: 3080 } })?.serverName,
      'kube-teleport-proxy-alpn.teleport.cluster.local',
    );
  });
}

test('without TLS routing the public address of the Kubernetes listener is used, without a server name', () => {
  assert.deepEqual(kubeEndpoint(SEPARATE), {
    address: { host: 'kube.example.com', port: 3026 },
    serverName: undefined,
  });
});

test('a Kubernetes listener without a public address is reached at the host of the web address', () => {
  assert.deepEqual(kubeEndpoint({ ...SEPARATE, kube: kubeListener('', '0.0.0.0:4026') }), {
    address: { host: 'proxy.example.com', port: 4026 },
    serverName: undefined,
  });
});

test('addresses of the Kubernetes listener without a port have its own', () => {
  assert.equal(kubeEndpoint({ ...SEPARATE, kube: kubeListener('kube.example.com', undefined) })?.address.port, 3026);
  assert.equal(kubeEndpoint({ ...SEPARATE, kube: kubeListener(undefined, '0.0.0.0') })?.address.port, 3026);
});

test('without TLS routing, a Proxy that reports no Kubernetes listener has no Kubernetes endpoint', () => {
  assert.equal(kubeEndpoint({ ...SEPARATE, kube: kubeListener(undefined, undefined) }), undefined);
  assert.equal(kubeEndpoint({ ...SEPARATE, kube: kubeListener('https://not an address', '') }), undefined);
});
