import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { status, type ClientDuplexStream } from '@grpc/grpc-js';
import { joinByService, type RawBot } from '../auth/raw-bot.ts';
import { RawClient } from './raw-client.ts';
import { pingByTransport, TRANSPORT_SERVICE, transportRoute } from './raw-transport.ts';
import { startCluster, type Cluster } from '../cluster.ts';
import { temporaryDirectory } from '../temporary-directory.ts';

const SERVICE = TRANSPORT_SERVICE;

describe('the transport service', () => {
  const directory = temporaryDirectory();
  let cluster: Cluster;
  let bot: RawBot;
  let proxy: RawClient;
  before(async () => {
    cluster = await startCluster({ dir: directory.path });
    bot = await joinByService(cluster);
    proxy = await RawClient.open(transportRoute(cluster, bot));
  });
  after(async () => {
    await proxy.close();
    await cluster.close();
    directory.remove();
  });

  const statusOf = (call: ClientDuplexStream<object, unknown>): Promise<{ code: status; details: string }> =>
    new Promise((resolve) => {
      call.on('error', () => undefined).on('status', resolve);
      call.resume();
    });

  test('GetClusterDetails reports whether the cluster is a FIPS build', async () => {
    assert.deepEqual(await proxy.unary(SERVICE, 'GetClusterDetails', {}), { details: { fips_enabled: false } });
  });

  for (const name of ['example.teleport.test', '']) {
    test(`ProxyCluster carries TLS to Auth for the cluster "${name}"`, async () => {
      assert.equal(await pingByTransport(proxy, bot, name), cluster.info.cluster);
      assert.equal(cluster.records.of('proxy-cluster').at(-1)?.fields.cluster, name);
    });
  }

  test('ProxyCluster accepts bytes together with the name of the cluster', async () => {
    const call = proxy.duplex(SERVICE, 'ProxyCluster');
    // Auth closes a connection that is not TLS
    call.write({ cluster: cluster.info.cluster, frame: { payload: Buffer.from('GET / HTTP/1.1\r\n\r\n') } });
    assert.equal((await statusOf(call)).code, status.OK);
  });

  test('ProxyCluster refuses an unknown cluster, and messages without bytes', async () => {
    const unknown = proxy.duplex(SERVICE, 'ProxyCluster');
    unknown.write({ cluster: 'elsewhere' });
    const refusal = await statusOf(unknown);
    assert.equal(refusal.code, status.NOT_FOUND);
    assert.match(refusal.details, /^failed dialing cluster "elsewhere"/);
    const empty = proxy.duplex(SERVICE, 'ProxyCluster');
    empty.write({ cluster: cluster.info.cluster });
    empty.write({ cluster: cluster.info.cluster });
    assert.deepEqual(pick(await statusOf(empty)), { code: status.INVALID_ARGUMENT, details: 'received invalid frame' });
  });
});

function pick({ code, details }: { code: status; details: string }): object {
  return { code, details };
}
