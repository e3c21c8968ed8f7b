/** A cluster whose authorities are being rotated, as a client of public libraries meets it. */
import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { after, before, describe, test } from 'node:test';
import { z } from 'zod';
import { accessRequest, callAuth, generateUserCerts } from '../auth/raw-auth.ts';
import { authRoute, joinByService, joinLegacy, type RawBot, type TlsIdentity } from '../auth/raw-bot.ts';
import type { RotationPhase } from './authorities.ts';
import { startCluster, type Cluster, type ClusterOptions } from '../cluster.ts';
import { createKey } from '../crypto/keys.ts';
import { readSshCertificate } from '../crypto/ssh-certificate.ts';
import { dialTls } from '../proxy/raw-client.ts';
import { transportRoute } from '../proxy/raw-transport.ts';
import { temporaryDirectory } from '../temporary-directory.ts';

const Bytes = z.instanceof(Buffer);
const KeySet = z.object({
  ssh: z.array(z.object({ public_key: Bytes })),
  tls: z.array(z.object({ cert: Bytes })),
});
const AuthorityResource = z.object({ spec: z.object({ active_keys: KeySet, additional_trusted_keys: KeySet }) });

const directory = temporaryDirectory();
after(() => {
  directory.remove();
});

async function inPhase(
  options: Omit<ClusterOptions, 'dir'>,
  check: (cluster: Cluster) => Promise<void>,
): Promise<void> {
  const cluster = await startCluster({ dir: directory.path, ...options });
  try {
    await check(cluster);
  } finally {
    await cluster.close();
  }
}

const fingerprint = (pem: string): string => new X509Certificate(pem).fingerprint256;
const isSignedBy = (certificate: X509Certificate | undefined, authority: string): boolean =>
  certificate?.verify(new X509Certificate(authority).publicKey) === true;

async function authorityOf(
  cluster: Cluster,
  bot: TlsIdentity,
  type: string,
): Promise<{ active: string[]; additional: string[] }> {
  const request = { type, domain: cluster.info.cluster, include_key: false };
  const answer = await callAuth(cluster, bot, 'GetCertAuthority', request, {
    service: 'teleport.trust.v1.TrustService',
  });
  const { active_keys: active, additional_trusted_keys: additional } = AuthorityResource.parse(answer).spec;
  assert.equal(active.ssh.length, active.tls.length);
  assert.equal(additional.ssh.length, additional.tls.length);
  const certificates = ({ tls }: z.infer<typeof KeySet>): string[] => tls.map(({ cert }) => cert.toString());
  return { active: certificates(active), additional: certificates(additional) };
}

interface Expected {
  readonly phase: RotationPhase;
  readonly active: 'old' | 'new';
  readonly additional: readonly ('old' | 'new')[];
  readonly servers: 'old' | 'new';
}

const PHASES: readonly Expected[] = [
  { phase: 'init', active: 'old', additional: ['new'], servers: 'old' },
  { phase: 'update_clients', active: 'new', additional: ['old'], servers: 'old' },
  { phase: 'update_servers', active: 'new', additional: ['old'], servers: 'new' },
  { phase: 'rollback', active: 'old', additional: ['new'], servers: 'old' },
  { phase: 'standby', active: 'new', additional: [], servers: 'new' },
];

describe('a rotation of the host and user authorities', () => {
  /** Before the rotation. */
  let old: RawBot;
  let keys: Record<'old' | 'new', { readonly host: string; readonly user: string }>;
  before(async () => {
    await inPhase({}, async (cluster) => {
      old = await joinByService(cluster);
      assert.deepEqual(cluster.info.caPins, [cluster.info.caPin]);
    });
    await inPhase({ rotation: 'standby' }, async (cluster) => {
      const { authorities } = await joinByService(cluster);
      const [oldHost = '', oldUser = ''] = old.authorities;
      const [host = '', user = ''] = authorities;
      keys = { old: { host: oldHost, user: oldUser }, new: { host, user } };
      assert.notEqual(host, oldHost);
      assert.notEqual(user, oldUser);
    });
  });

  for (const { active, additional, phase, servers } of PHASES) {
    describe(`in the phase ${phase}`, () => {
      test('lists the active keys and those that are trusted besides, in this order', async () => {
        await inPhase({ rotation: phase }, async (cluster) => {
          const wanted = (type: 'host' | 'user'): string[] =>
            [active, ...additional].map((which) => fingerprint(keys[which][type]));
          const bot = await joinByService(cluster);
          assert.deepEqual(bot.authorities.map(fingerprint), [...wanted('host'), ...wanted('user')]);
          const trusted = { ...bot, ca: bot.authorities.slice(0, wanted('host').length) };
          for (const type of ['host', 'user'] as const) {
            const shown = await authorityOf(cluster, trusted, type);
            assert.deepEqual(shown.active.map(fingerprint), wanted(type).slice(0, 1));
            assert.deepEqual(shown.additional.map(fingerprint), wanted(type).slice(1));
          }
          const answer = await callAuth(cluster, { ca: trusted.ca }, 'GetClusterCACert', {});
          const { tls_ca: pem } = z.object({ tls_ca: Bytes }).parse(answer);
          const certificates = pem.toString().match(/-----BEGIN[^]*?-----END CERTIFICATE-----/g) ?? [];
          assert.deepEqual(certificates.map(fingerprint), wanted('host'));
          assert.equal(cluster.info.caPins.length, certificates.length);
          assert.equal(cluster.info.caPins[0], cluster.info.caPin);
        });
      });

      test('signs for clients with the active keys, and shows certificates of the keys of servers', async () => {
        await inPhase({ rotation: phase }, async (cluster) => {
          const bot = await joinLegacy(cluster);
          assert.ok(isSignedBy(new X509Certificate(bot.cert), keys[active].user));
          const trusted = { ...bot, ca: [keys[servers].host] };
          const issued = await generateUserCerts(cluster, trusted, accessRequest(await createKey('ec')));
          assert.ok(isSignedBy(new X509Certificate(issued.tls), keys[active].user));
          assert.equal(issued.tls_ca_certs.length, 1 + additional.length);
          const [first = ''] = issued.ssh_ca_certs.map(String);
          const [, wire = ''] = issued.ssh.toString().split(' ');
          const { authority } = readSshCertificate(Buffer.from(wire, 'base64'));
          assert.equal(first.split(' ')[1]?.trim(), authority.toString('base64'));
          for (const route of [authRoute(cluster, trusted), { ...transportRoute(cluster, bot), ca: trusted.ca }]) {
            const socket = await dialTls(route);
            const shown = socket.getPeerX509Certificate();
            socket.destroy();
            assert.ok(isSignedBy(shown, keys[servers].host));
          }
          const other = { ...trusted, ca: [keys[servers === 'old' ? 'new' : 'old'].host] };
          await assert.rejects(dialTls(authRoute(cluster, other)));
        });
      });

      test(`${phase === 'standby' ? 'refuses' : 'accepts'} certificates from before the rotation`, async () => {
        await inPhase({ rotation: phase }, async (cluster) => {
          const role = callAuth(cluster, { ...old, ca: [keys[servers].host] }, 'GetRole', { name: 'bot-ci' });
          await (phase === 'standby' ? assert.rejects(role) : role);
        });
      });
    });
  }

  test('a rollback accepts certificates of the new keys too, and no rotation accepts none', async () => {
    let bot: RawBot | undefined;
    await inPhase({ rotation: 'update_servers' }, async (cluster) => {
      bot = await joinByService(cluster);
    });
    const renewed = { ...bot, ca: [keys.old.host] };
    await inPhase({ rotation: 'rollback' }, async (cluster) => {
      await callAuth(cluster, renewed, 'GetRole', { name: 'bot-ci' });
    });
    await inPhase({}, async (cluster) => {
      await assert.rejects(callAuth(cluster, renewed, 'GetRole', { name: 'bot-ci' }));
    });
  });

  test('with hardware security modules, both keys of the user authority are active and the second signs', async () => {
    await inPhase({ hsm: true }, async (cluster) => {
      const bot = await joinByService(cluster);
      const [host = '', first = '', second = ''] = bot.authorities;
      assert.equal(bot.authorities.length, 3);
      assert.equal(fingerprint(host), fingerprint(keys.old.host));
      assert.equal(fingerprint(first), fingerprint(keys.old.user));
      assert.ok(isSignedBy(new X509Certificate(bot.cert), second));
      const shown = await authorityOf(cluster, bot, 'user');
      assert.deepEqual(shown.active.map(fingerprint), [first, second].map(fingerprint));
      assert.deepEqual(shown.additional, []);
      const issued = await generateUserCerts(cluster, bot, accessRequest(await createKey('ec')));
      assert.ok(isSignedBy(new X509Certificate(issued.tls), second));
      assert.deepEqual(
        issued.tls_ca_certs.map((pem) => fingerprint(pem.toString())),
        [first, second].map(fingerprint),
      );
      assert.equal(issued.ssh_ca_certs.length, 2);
      await callAuth(cluster, old, 'GetRole', { name: 'bot-ci' });
    });
  });
});
