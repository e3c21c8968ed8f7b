/** The gRPC form of joining: `teleport.join.v1.JoinService/Join` of Teleport 18 and later. */
import type { ServerDuplexStream } from '@grpc/grpc-js';
import { z } from 'zod';
import type { Connection } from '../connection.ts';
import { failWith, type GrpcServer, userAgentOf } from './grpc.ts';
import { admit, findToken, type JoinResult } from './join.ts';
import type { JoinToken } from '../data/data.ts';
import type { Profile } from '../data/profiles.ts';
import { GoPanic } from '../generic-oidc/go-values.ts';
import type { OidcVerifier } from '../issuer/oidc-verifier.ts';
import { parseSshWire, parseTlsDer } from './public-keys.ts';
import { observe } from '../records.ts';
import { accessDenied, badParameter, TeleportError } from '../data/teleport-errors.ts';
import { toDate, WireTimestamp } from './timestamp.ts';
import type { World } from '../world.ts';

const ClientInit = z.object({
  join_method: z.string().optional(),
  token_name: z.string(),
  system_role: z.string(),
  forwarded_by_proxy: z.boolean(),
  proxy_supplied_parameters: z.unknown(),
});

const OidcInit = z.object({
  client_params: z.object({
    bot_params: z.object({
      public_keys: z.object({ public_tls_key: z.instanceof(Buffer), public_ssh_key: z.instanceof(Buffer) }),
      expires: WireTimestamp.nullish(),
    }),
  }),
  id_token: z.instanceof(Buffer),
});

const FirstRequest = z.object({ client_init: ClientInit });
const SecondRequest = z.union([
  z.object({ oidc_init: OidcInit }),
  z.object({ giving_up: z.object({ msg: z.string() }) }),
]);

type Stream = ServerDuplexStream<unknown, object>;

export function serveJoinService(server: GrpcServer, world: World, verifier: OidcVerifier): void {
  server.addBidirectional('teleport.join.v1.JoinService', 'Join', async (call, connection) => {
    const { records, faults } = world;
    const record = records.add({
      listener: connection.listener,
      kind: 'join-service',
      ...connection.hello,
      userAgent: userAgentOf(call),
      fields: {},
    });
    await observe(record, async () => {
      failWith(faults.replies['join-service'], connection);
      if (faults.replies['join-service'] !== 'silent') {
        requireSupportedVersion(world, call.metadata.get('version')[0]);
        await join({ world, verifier, connection, fields: record.fields }, call);
      }
    });
    if (faults.replies['join-service'] === 'silent') {
      await new Promise(() => undefined);
    }
  });
}

interface Session {
  readonly world: World;
  readonly verifier: OidcVerifier;
  readonly connection: Connection;
  readonly fields: Record<string, unknown>;
}

async function join(session: Session, call: Stream): Promise<void> {
  // The client may end its side early, but must still get a response.
  const requests: AsyncIterator<unknown> = call.iterator({ destroyOnReturn: false });
  const { client_init: init } = readMessage(FirstRequest, await nextMessage(requests));
  Object.assign(session.fields, { token: init.token_name, role: init.system_role, method: init.join_method });
  refuseFalseProxy(session.connection, init);
  const token = acceptInit(session.world, init);
  call.write({
    init: { join_method: token.method, signature_algorithm_suite: session.world.profile.suite },
  });
  if (!isServed(session.world.profile, token.method)) {
    throw new TeleportError('NotImplemented', `join method ${token.method} is not implemented`);
  }
  const second = readMessage(SecondRequest, await nextMessage(requests));
  if (session.world.faults.replies['join-service'] === 'reset-midway') {
    failWith('reset', session.connection);
  }
  if (session.world.faults.replies['join-service'] === 'limited-midway') {
    throw new TeleportError('LimitExceeded', 'join attempt timed out after 1m0s, terminating the stream on the server');
  }
  if ('giving_up' in second) {
    throw badParameter(`client gave up on join attempt: ${second.giving_up.msg}`);
  }
  call.write(toResult(await admitBot(session, token, second.oidc_init)));
}

/** Clients that do not report their version are not checked (lib/join/server.go@00bbfe7e). */
function requireSupportedVersion({ profile }: World, version: string | Buffer | undefined): void {
  const major = /^(\d+)\.\d+\.\d+/.exec(String(version))?.[1];
  const minimum = profile.major - 1;
  if (version !== undefined && !(Number(major) >= minimum)) {
    throw accessDenied(`client version is unsupported, minimum supported version is ${String(minimum)}.0.0`);
  }
}

/** A token of a method that the join service lacks can be left over after a downgrade. */
function isServed({ genericOidc, joinService }: Profile, method: JoinToken['method']): boolean {
  return joinService === 'complete' && (method === 'circleci' || (method === 'generic_oidc' && genericOidc));
}

/**
 * The Proxy overwrites what only a Proxy may set, whatever the client sent; and Auth ignores it from clients without a
 * certificate (`authenticate` of lib/join/server.go, lib/join/joinv1/forwarding_server.go).
 */
function refuseFalseProxy({ identity }: Connection, init: z.infer<typeof ClientInit>): void {
  if (identity === undefined) {
    return;
  }
  if (init.proxy_supplied_parameters !== null) {
    throw accessDenied('client set ProxySuppliedParameters but did not authenticate as a proxy');
  }
  if (init.forwarded_by_proxy) {
    throw badParameter(
      'client claims to be a proxy forwarding the request but did not authenticate as a proxy (this is a bug)',
    );
  }
}

function acceptInit(world: World, init: z.infer<typeof ClientInit>): JoinToken {
  const token = findToken(world, init.token_name, 'token expired or not found');
  if (init.join_method !== undefined && init.join_method !== token.method) {
    throw badParameter(
      `client requested join method ${init.join_method}, provision token only supports method ${token.method}`,
    );
  }
  if (init.system_role !== 'Bot' || !token.roles.includes(init.system_role)) {
    throw badParameter(`can not join the cluster, the token does not allow role ${init.system_role}`);
  }
  return token;
}

async function admitBot(session: Session, token: JoinToken, init: z.infer<typeof OidcInit>): Promise<JoinResult> {
  const { public_keys: keys, expires } = init.client_params.bot_params;
  if (init.id_token.length === 0) {
    throw accessDenied('IDToken is required');
  }
  Object.assign(session.fields, { expires: expires ? toDate(expires) : undefined });
  try {
    return await admit(session.world, session.verifier, {
      token,
      idToken: init.id_token.toString('utf8'),
      keys: { tls: parseTlsDer(keys.public_tls_key), ssh: parseSshWire(keys.public_ssh_key) },
      expires: expires ? toDate(expires) : undefined,
      remoteAddress: session.connection.socket.remoteAddress ?? '',
    });
  } catch (error) {
    throw error instanceof GoPanic ? diedDuring(session.connection) : error;
  }
}

/** The Auth Service is gone: its own clients lose the connection, those of the Proxy get the Proxy's error. */
function diedDuring({ listener, socket }: Connection): TeleportError {
  if (listener === 'auth') {
    socket.destroy();
  }
  return new TeleportError('ConnectionProblem', 'error reading from server: EOF');
}

function toResult(result: JoinResult): object {
  return {
    result: {
      bot_result: {
        certificates: {
          tls_cert: result.tls,
          tls_ca_certs: result.tlsAuthorities,
          ssh_cert: result.ssh,
          ssh_ca_keys: result.sshAuthorities,
        },
      },
    },
  };
}

async function nextMessage(requests: AsyncIterator<unknown>): Promise<unknown> {
  const next = await requests.next();
  if (next.done === true) {
    // How Go's gRPC reports the end of a stream, for which Teleport has no kind (lib/join/joinv1/server.go, api/trail).
    throw new TeleportError('Unknown', 'EOF');
  }
  return next.value;
}

function readMessage<T>(schema: z.ZodType<T>, message: unknown): T {
  const parsed = schema.safeParse(message);
  if (!parsed.success) {
    throw badParameter(`unrecognized join request message type: ${z.prettifyError(parsed.error)}`);
  }
  return parsed.data;
}
