/** GenerateHostCert: SSH host certificates for users with a role that can create them. */
import { z } from 'zod';
import { rolesOfCaller } from './caller.ts';
import type { Call } from './grpc.ts';
import { parseSshLine } from './public-keys.ts';
import { signSshCertificate } from '../crypto/ssh-certificate.ts';
import { toAuthorizedKey } from '../crypto/ssh-public-key.ts';
import { accessDenied, badParameter } from '../data/teleport-errors.ts';
import { toMilliseconds, WireDuration } from './timestamp.ts';
import { ownAuthority, type World } from '../world.ts';

const Request = z.object({
  key: z.instanceof(Buffer),
  host_id: z.string(),
  node_name: z.string(),
  principals: z.array(z.string()),
  cluster_name: z.string(),
  role: z.string(),
  ttl: WireDuration.nullable(),
});

const CLOCK_SKEW_MS = 60_000;

export function generateHostCert(world: World, message: unknown, call: Call): object {
  const request = Request.parse(message);
  const ttlMs = request.ttl ? toMilliseconds(request.ttl) : 0;
  Object.assign(call.record.fields, { principals: request.principals, role: request.role, ttlMs });
  if (!rolesOfCaller(world, call).some(({ certifiesHosts }) => certifiesHosts)) {
    throw accessDenied('access denied to perform action "create" on "host_cert"');
  }
  check(world, request, ttlMs);
  const { sshKey } = ownAuthority(world, 'host');
  if (sshKey === undefined) {
    throw new Error('the host authority has no SSH key');
  }
  const certificate = signSshCertificate(
    {
      kind: 'host',
      publicKey: parseSshLine(request.key),
      keyId: '',
      principals: request.principals,
      notBefore: new Date(Date.now() - CLOCK_SKEW_MS),
      notAfter: new Date(Date.now() + ttlMs),
      extensions: { 'x-teleport-role': request.role, 'x-teleport-authority': request.cluster_name },
    },
    sshKey,
  );
  return { ssh_certificate: Buffer.from(toAuthorizedKey(certificate)) };
}

/**
 * Without a lifetime, Teleport would issue an unlimited certificate, and it would add host id and node name to the
 * principals.
 */
function check({ clusterName }: World, request: z.infer<typeof Request>, ttlMs: number): void {
  if (request.principals.length === 0) {
    throw badParameter('cannot generate host certificate without principals');
  }
  if (request.cluster_name !== clusterName || request.role !== 'Node') {
    throw badParameter(`unexpected cluster ${request.cluster_name} or system role ${request.role}`);
  }
  if (ttlMs <= 0 || request.host_id !== '' || request.node_name !== '') {
    throw badParameter('a machine identity asks for a lifetime, and for principals alone');
  }
}
