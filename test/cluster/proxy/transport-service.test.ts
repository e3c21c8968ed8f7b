import assert from 'node:assert/strict';
import { Duplex } from 'node:stream';
import { after, before, describe, test } from 'node:test';
import { status, type ClientDuplexStream } from '@grpc/grpc-js';
import { z } from 'zod';
import { joinByService, webAddress, type RawBot } from '../auth/raw-bot.ts';
import { RawClient } from './raw-client.ts';
import { startCluster, type Cluster } from '../cluster.ts';
import { temporaryDirectory } from '../temporary-directory.ts';

const SERVICE = 'teleport.transport.v1.TransportService';
const Answer = z.object({ frame: z.object({ payload: z.instanceof(Buffer) }) });
const Pong = z.object({ cluster_name: z.string() });

describe('the transport service', () => {
  const directory = temporaryDirectory();
  let cluster: Cluster;
  let bot: RawBot;
  let proxy: RawClient;
  before(async () => {
    cluster = await startCluster({ dir: directory.path });
    bot = await joinByService(cluster);
    const { ca, cert, key } = bot;
    const ALPNProtocols = ['teleport-proxy-ssh-grpc', 'h2'];
    const servername = 'teleport.cluster.local';
    proxy = await RawClient.open({ ...webAddress(cluster), ca, cert, key, servername, ALPNProtocols });
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

  test('GetClusterDetails says whether the cluster is a FIPS build', async () => {
    assert.deepEqual(await proxy.unary(SERVICE, 'GetClusterDetails', {}), { details: { fips_enabled: false } });
  });

  for (const name of ['example.teleport.test', '']) {
    test(`ProxyCluster carries TLS to Auth for the cluster "${name}"`, async () => {
      const call = proxy.duplex(SERVICE, 'ProxyCluster');
      call.write({ cluster: name });
      const { ca, cert, key } = bot;
      const route = {
        socket: bytesOf(call),
        servername: 'teleport.cluster.local',
        ALPNProtocols: ['h2'],
        ca,
        cert,
        key,
      };
      const auth = await RawClient.open(route);
      try {
        assert.equal(Pong.parse(await auth.unary('proto.AuthService', 'Ping', {})).cluster_name, cluster.info.cluster);
      } finally {
        await auth.close();
      }
      assert.equal(cluster.records.of('proxy-cluster').at(-1)?.fields.cluster, name);
    });
  }

  test('ProxyCluster takes bytes along with the name of the cluster', async () => {
    const call = proxy.duplex(SERVICE, 'ProxyCluster');
    // Auth answers what is not TLS with an end
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

/** The bytes in the frames of a call. */
function bytesOf(call: ClientDuplexStream<object, unknown>): Duplex {
  const stream = new Duplex({
    read: () => undefined,
    write: (payload: Buffer, _encoding, done) => {
      call.write({ frame: { payload } });
      done();
    },
    destroy: (error, done) => {
      call.cancel();
      done(error);
    },
  });
  call.on('error', () => stream.push(null)).on('end', () => stream.push(null));
  call.on('data', (answer: unknown) => stream.push(Answer.parse(answer).frame.payload));
  return stream;
}
