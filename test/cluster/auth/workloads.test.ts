import assert from 'node:assert/strict';
import { createPublicKey, X509Certificate, type KeyObject } from 'node:crypto';
import { after, before, describe, test } from 'node:test';
import { status } from '@grpc/grpc-js';
import { z } from 'zod';
import { accessRequest, callAuth, generateUserCerts, sshLine } from './raw-auth.ts';
import { joinByService, joinLegacy, type RawBot, type TlsIdentity } from './raw-bot.ts';
import { startCluster, type Cluster } from '../cluster.ts';
import { createKey, keyPem } from '../crypto/keys.ts';
import { withCluster } from '../temporary-cluster.ts';
import { temporaryDirectory } from '../temporary-directory.ts';

const ISSUANCE = 'teleport.workloadidentity.v1.WorkloadIdentityIssuanceService';
const SIGNING = 'teleport.machineid.v1.WorkloadIdentityService';
const TRUST = 'teleport.trust.v1.TrustService';
const HOUR = { seconds: 3600, nanos: 0 };

const Issued = z.object({
  spiffe_id: z.string(),
  workload_identity_name: z.string(),
  workload_identity_revision: z.string(),
  x509_svid: z.object({ cert: z.instanceof(Buffer), serial_number: z.string() }),
});
const Authorities = z.object({
  cert_authorities_v2: z.array(
    z.object({ spec: z.object({ active_keys: z.object({ tls: z.array(z.object({ cert: z.instanceof(Buffer) })) }) }) }),
  ),
});

describe('a v18 cluster, asked by identities of two roles', () => {
  const directory = temporaryDirectory();
  let cluster: Cluster;
  let bot: RawBot;
  let key: KeyObject;
  let access: TlsIdentity;
  let deployer: TlsIdentity;
  before(async () => {
    cluster = await startCluster({ dir: directory.path });
    bot = await joinByService(cluster);
    key = await createKey('ec');
    const identityOf = async (role: string): Promise<TlsIdentity> => {
      const { tls } = await generateUserCerts(cluster, bot, { ...accessRequest(key), role_requests: [role] });
      return { cert: tls.toString(), key: keyPem(key), ca: bot.ca };
    };
    [access, deployer] = await Promise.all([identityOf('access'), identityOf('deployer')]);
  });
  after(async () => {
    await cluster.close();
    directory.remove();
  });

  const x509 = (): object => ({
    x509_svid_params: { public_key: createPublicKey(key).export({ type: 'spki', format: 'der' }) },
    requested_ttl: HOUR,
  });
  const issue = (caller: TlsIdentity, request: object): Promise<object> =>
    callAuth(cluster, caller, 'IssueWorkloadIdentity', { ...x509(), ...request }, { service: ISSUANCE });
  const select = (caller: TlsIdentity, selectors: readonly object[]): Promise<object> =>
    callAuth(
      cluster,
      caller,
      'IssueWorkloadIdentities',
      { ...x509(), label_selectors: selectors },
      { service: ISSUANCE },
    );

  test('a workload identity is issued by name, signed by the SPIFFE authority', async () => {
    const { credential } = z.object({ credential: Issued }).parse(await issue(access, { name: 'ci-svid' }));
    assert.equal(credential.spiffe_id, 'spiffe://example.teleport.test/ci/deploy');
    assert.match(credential.workload_identity_revision, /^[0-9a-f-]{36}$/);
    const svid = new X509Certificate(credential.x509_svid.cert);
    assert.match(credential.x509_svid.serial_number, /^[0-9a-f]{2}(:[0-9a-f]{2})+$/);
    assert.equal(credential.x509_svid.serial_number.replaceAll(':', ''), svid.serialNumber.toLowerCase());
    assert.ok(svid.publicKey.equals(createPublicKey(key)));
    const answer = await callAuth(cluster, bot, 'GetCertAuthorities', { type: 'spiffe' }, { service: TRUST });
    const [authority, ...others] = Authorities.parse(answer).cert_authorities_v2;
    assert.deepEqual(others, [], 'leaf clusters do not show theirs');
    assert.ok(svid.verify(new X509Certificate(authority?.spec.active_keys.tls[0]?.cert ?? '').publicKey));
  });

  test('labels select every workload identity that matches and that the roles allow', async () => {
    const answer = await select(access, [{ key: 'env', values: ['prod', 'dev'] }]);
    const { credentials } = z.object({ credentials: z.array(Issued) }).parse(answer);
    assert.deepEqual(
      credentials.map(({ workload_identity_name: name }) => name),
      ['ci-svid', 'ci-svid-dev'],
    );
  });

  test('"not found" and "not allowed" are different errors', async () => {
    await assert.rejects(issue(access, { name: 'nobody' }), { code: status.NOT_FOUND });
    await assert.rejects(issue(access, { name: 'vault-root' }), { code: status.PERMISSION_DENIED });
    await assert.rejects(issue(deployer, { name: 'ci-svid' }), { code: status.PERMISSION_DENIED });
    await assert.rejects(select(deployer, [{ key: 'env', values: ['prod'] }]), { code: status.PERMISSION_DENIED });
  });

  test('requests without a selector, a kind or an audience are refused', async () => {
    const jwt = { x509_svid_params: undefined, jwt_svid_params: { audiences: [] } };
    await assert.rejects(select(access, []), { code: status.INVALID_ARGUMENT });
    await assert.rejects(issue(access, { name: 'ci-svid', x509_svid_params: undefined }), {
      code: status.INVALID_ARGUMENT,
    });
    await assert.rejects(issue(access, { name: 'ci-svid', ...jwt }), { code: status.INVALID_ARGUMENT });
  });

  test('host certificates require a role that allows them, principals and a lifetime', async () => {
    const request = {
      key: Buffer.from(sshLine(createPublicKey(key))),
      principals: ['web-1'],
      cluster_name: cluster.info.cluster,
      role: 'Node',
      ttl: HOUR,
    };
    const certify = (caller: TlsIdentity, changes: object = {}): Promise<object> =>
      callAuth(cluster, caller, 'GenerateHostCert', { ...request, ...changes }, { service: TRUST });
    const { ssh_certificate: line } = z.object({ ssh_certificate: z.instanceof(Buffer) }).parse(await certify(access));
    assert.match(line.toString(), /^ecdsa-sha2-nistp256-cert-v01@openssh\.com /);
    await assert.rejects(certify(deployer), { code: status.PERMISSION_DENIED, details: /"create" on "host_cert"/ });
    for (const wrong of [{ principals: [] }, { ttl: undefined }, { role: 'Proxy' }, { key: Buffer.from('x') }]) {
      await assert.rejects(certify(access, wrong), { code: status.INVALID_ARGUMENT });
    }
  });

  test('the signing calls of earlier versions no longer exist', async () => {
    await assert.rejects(callAuth(cluster, access, 'SignX509SVIDs', {}, { service: SIGNING }), {
      code: status.UNIMPLEMENTED,
    });
  });
});

test('a v15 cluster signs X.509 SVIDs that a role allows, but no JWTs, and has no workload identities', async () => {
  await withCluster({ teleport: '15.3.7' }, async (cluster) => {
    const bot = await joinLegacy(cluster);
    const key = await createKey('rsa');
    const publicKey = createPublicKey(key);
    const { tls } = await generateUserCerts(cluster, bot, {
      ...accessRequest(key),
      public_key: Buffer.from(sshLine(publicKey)),
    });
    const access = { cert: tls.toString(), key: keyPem(key), ca: bot.ca };
    const sign = (svid: object): Promise<object> => {
      const one = { public_key: publicKey.export({ type: 'spki', format: 'der' }), ttl: HOUR, ...svid };
      return callAuth(cluster, access, 'SignX509SVIDs', { svids: [one] }, { service: SIGNING });
    };
    await sign({ spiffe_id_path: '/ci/a', dns_sans: ['a.example.com'] });
    for (const refused of [
      { spiffe_id_path: '/vault' },
      { spiffe_id_path: '/ci/a', dns_sans: ['a.example.org'] },
      { spiffe_id_path: '/ci/a', ip_sans: ['10.0.0.1'] },
    ]) {
      await assert.rejects(sign(refused), { code: status.PERMISSION_DENIED });
    }
    await assert.rejects(sign({ spiffe_id_path: 'ci' }), { code: status.INVALID_ARGUMENT });
    for (const [service, method] of [
      [SIGNING, 'SignJWTSVIDs'],
      [ISSUANCE, 'IssueWorkloadIdentity'],
    ] as const) {
      await assert.rejects(callAuth(cluster, access, method, {}, { service }), { code: status.UNIMPLEMENTED });
    }
  });
});
