import assert from 'node:assert/strict';
import { createPublicKey, type KeyObject } from 'node:crypto';
import { request } from 'node:https';
import { after, before, describe, test } from 'node:test';
import { status } from '@grpc/grpc-js';
import { z } from 'zod';
import { accessRequest, callAuth, generateUserCerts, sshLine } from '../auth/raw-auth.ts';
import { joinLegacy, type RawBot, type TlsIdentity, webAddress } from '../auth/raw-bot.ts';
import { startCluster, type Cluster } from '../cluster.ts';
import { createKey, keyPem } from '../crypto/keys.ts';
import { temporaryDirectory } from '../temporary-directory.ts';

const DASHBOARD = 'dashboard.example.teleport.test';
const WIKI = 'wiki-k8s-tools.example.teleport.test';
const Session = z.object({ session: z.object({ metadata: z.object({ name: z.string().min(1) }) }) });

/** The gateway forwards these requests to the application, which is offline. */
const LET_IN = 502;
const REFUSED = 403;

interface Route {
  readonly session_id?: string;
  readonly public_addr?: string;
  readonly name?: string;
}

const directory = temporaryDirectory();
after(() => {
  directory.remove();
});

for (const teleport of ['15.3.7', '16.4.0'] as const) {
  describe(`the application gateway of Teleport ${teleport}`, () => {
    let cluster: Cluster;
    let bot: RawBot;
    let key: KeyObject;
    before(async () => {
      cluster = await startCluster({ dir: directory.path, teleport });
      bot = await joinLegacy(cluster);
      key = await createKey('rsa');
    });
    after(() => cluster.close());

    /** An identity with the role `access`, routed to an application if a route is given. */
    const identity = async (route?: Route): Promise<RawBot> => {
      const { tls } = await generateUserCerts(cluster, bot, {
        ...accessRequest(key),
        public_key: Buffer.from(sshLine(createPublicKey(key))),
        ...(route && {
          route_to_app: { name: 'dashboard', public_addr: DASHBOARD, cluster_name: cluster.info.cluster, ...route },
        }),
      });
      return { ...bot, cert: tls.toString(), key: keyPem(key) };
    };
    const createSession = async (caller: TlsIdentity, changes: object = {}): Promise<string> => {
      const wish = { username: 'bot-ci', public_addr: DASHBOARD, cluster_name: cluster.info.cluster, ...changes };
      return Session.parse(await callAuth(cluster, caller, 'CreateAppSession', wish)).session.metadata.name;
    };

    test('a session that the roles allow gives access to its application, whatever host is requested', async () => {
      const routed = await identity({ session_id: await createSession(await identity()) });
      for (const host of [DASHBOARD, WIKI, 'localhost', '127.0.0.1:8080']) {
        assert.equal(await call(cluster, routed, { serverName: 'localhost', host }), LET_IN);
      }
      assert.equal(await call(cluster, routed), LET_IN);
    });

    test('a session that does not exist, or is for another application, gives no access', async () => {
      const elsewhere = await createSession(await identity(), { public_addr: WIKI });
      for (const sessionId of ['0a1b', elsewhere]) {
        assert.equal(await call(cluster, await identity({ session_id: sessionId })), REFUSED);
      }
    });

    test('without a session from the client, v15 gives no access and v16 creates a session', async () => {
      assert.equal(await call(cluster, await identity({})), teleport === '15.3.7' ? REFUSED : LET_IN);
    });

    test('without a certificate, the response redirects to the login page', async () => {
      assert.equal(await call(cluster, {}), 302);
    });

    test('an expired certificate, or one for another application, gives no access', async () => {
      const sessionId = await createSession(await identity());
      cluster.faults.outputCertificates = 'expired';
      const expired = await identity({ session_id: sessionId });
      cluster.faults.outputCertificates = 'routed-elsewhere';
      const elsewhere = await identity({ session_id: sessionId });
      cluster.faults.outputCertificates = undefined;
      await assert.rejects(call(cluster, expired), /socket hang up|ECONNRESET/);
      assert.equal(await call(cluster, elsewhere), REFUSED);
    });

    test("sessions are created only for the caller's own user, with roles that allow the application", async () => {
      const access = await identity();
      const refused = (caller: TlsIdentity, changes: object, code: status): Promise<void> =>
        assert.rejects(createSession(caller, changes), { code });
      await refused(bot, {}, status.PERMISSION_DENIED);
      await refused(access, { username: 'bot-roleless' }, status.PERMISSION_DENIED);
      await refused(access, { public_addr: 'backoffice.example.teleport.test' }, status.PERMISSION_DENIED);
      await refused(access, { public_addr: 'nowhere.example.teleport.test' }, status.NOT_FOUND);
      await refused(access, { cluster_name: 'leaf.example.com' }, status.NOT_FOUND);
      await refused({ ca: bot.ca }, {}, status.PERMISSION_DENIED);
    });
  });
}

/** Resolves with the status of the response. */
function call(
  cluster: Cluster,
  { cert, key }: TlsIdentity,
  { serverName, host } = { serverName: DASHBOARD, host: DASHBOARD },
): Promise<number> {
  const address = { ...webAddress(cluster), servername: serverName, headers: { Host: host }, agent: false };
  return new Promise((resolve, reject) => {
    const asking = request({ ...address, ...(cert && { cert }), ...(key && { key }) }, (answer) => {
      answer.resume();
      resolve(answer.statusCode ?? 0);
    });
    asking.on('error', reject).end();
  });
}
