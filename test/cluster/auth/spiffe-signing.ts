/** Signs SPIFFE documents for any name that a role of the caller allows (Teleport 15 to 17). */
import { z } from 'zod';
import { rolesOfCaller } from './caller.ts';
import type { Call, GrpcServer } from './grpc.ts';
import { signJwtSvid, signX509Svid, spiffeIdOf } from './svid.ts';
import { accessDenied, badParameter } from '../data/teleport-errors.ts';
import { toMilliseconds, WireDuration } from './timestamp.ts';
import type { World } from '../world.ts';

const SERVICE = 'teleport.machineid.v1.WorkloadIdentityService';
const HOUR_MS = 60 * 60 * 1000;
const DEFAULT_X509_TTL_MS = HOUR_MS;
const DEFAULT_JWT_TTL_MS = 5 * 60 * 1000;
const MAX_TTL_MS = 24 * HOUR_MS;

const X509Request = z.object({
  public_key: z.instanceof(Buffer),
  spiffe_id_path: z.string(),
  dns_sans: z.array(z.string()),
  ip_sans: z.array(z.string()),
  hint: z.string(),
  ttl: WireDuration.nullable(),
});
const JwtRequest = z.object({
  spiffe_id_path: z.string(),
  audiences: z.array(z.string()),
  hint: z.string(),
  ttl: WireDuration.nullable(),
});

export function serveSpiffeSigning(server: GrpcServer, world: World): void {
  const jwt = world.profile.spiffeSigning === 'x509-and-jwt';
  server.addUnary(SERVICE, {
    SignX509SVIDs: { serve: (message, call) => signX509(world, readList(X509Request, message, call), call) },
    ...(jwt
      ? { SignJWTSVIDs: { serve: (message, call) => signJwt(world, readList(JwtRequest, message, call), call) } }
      : {}),
  });
}

function readList<T extends { readonly spiffe_id_path: string }>(one: z.ZodType<T>, message: unknown, call: Call): T[] {
  const { svids } = z.object({ svids: z.array(one) }).parse(message);
  call.record.fields.paths = svids.map(({ spiffe_id_path: path }) => path);
  if (svids.length === 0) {
    throw badParameter('svids: must be non-empty');
  }
  return svids;
}

function signX509(world: World, requests: readonly z.infer<typeof X509Request>[], call: Call): object {
  const sign = (request: z.infer<typeof X509Request>): object => {
    const { spiffe_id_path: path, dns_sans: dnsNames, ip_sans: ipAddresses, public_key: publicKey, hint } = request;
    checkPath(path);
    checkAllowed(world, call, { path, dnsNames, ipAddresses });
    const wish = { publicKey, notAfter: endOf(request.ttl, DEFAULT_X509_TTL_MS) };
    const certificate = signX509Svid(world, { path, dnsNames, ipAddresses }, wish);
    return { certificate, spiffe_id: spiffeIdOf(world, path), hint };
  };
  return { svids: requests.map(sign) };
}

async function signJwt(world: World, requests: readonly z.infer<typeof JwtRequest>[], call: Call): Promise<object> {
  const sign = async (request: z.infer<typeof JwtRequest>): Promise<object> => {
    const { spiffe_id_path: path, audiences, hint } = request;
    checkPath(path);
    if (audiences.length === 0) {
      throw badParameter('audiences: must be non-empty');
    }
    checkAllowed(world, call, { path, dnsNames: [], ipAddresses: [] });
    const wish = { audiences, notAfter: endOf(request.ttl, DEFAULT_JWT_TTL_MS) };
    return { ...(await signJwtSvid(world, path, wish)), spiffe_id: spiffeIdOf(world, path), audiences, hint };
  };
  return { svids: await Promise.all(requests.map(sign)) };
}

function checkPath(path: string): void {
  if (!path.startsWith('/')) {
    throw badParameter("spiffe_id_path: must start with '/'");
  }
}

/** One condition of one role must allow the path and all other names. No role here allows an IP address. */
function checkAllowed(
  world: World,
  call: Call,
  wanted: { readonly path: string; readonly dnsNames: readonly string[]; readonly ipAddresses: readonly string[] },
): void {
  const allowed = rolesOfCaller(world, call)
    .flatMap(({ spiffe }) => spiffe)
    .some(
      ({ pathPrefix, dnsSuffix }) =>
        wanted.path.startsWith(pathPrefix) &&
        wanted.dnsNames.every((name) => name.endsWith(dnsSuffix)) &&
        wanted.ipAddresses.length === 0,
    );
  if (!allowed) {
    throw accessDenied('access denied to generate SVID');
  }
}

function endOf(asked: z.infer<typeof WireDuration> | null, defaultMs: number): Date {
  const askedMs = asked ? toMilliseconds(asked) : 0;
  return new Date(Date.now() + Math.min(askedMs > 0 ? askedMs : defaultMs, MAX_TTL_MS));
}
