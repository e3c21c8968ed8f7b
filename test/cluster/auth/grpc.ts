/** Serves gRPC methods, described by this folder's own proto files, over TLS connections that are already open. */
import * as grpc from '@grpc/grpc-js';
import type { Connection } from '../connection.ts';
import { OVERSIZED_REPLY_BYTES, type ReplyFault } from '../faults.ts';
import type { AddressLimiter } from '../limiter.ts';
import { methodDefinition } from './proto-files.ts';
import { observe, type RequestKind, type RequestRecord } from '../records.ts';
import { accessDenied, describeError, TeleportError, toGrpcError, toTeleportError } from '../data/teleport-errors.ts';
import type { World } from '../world.ts';

export interface Call {
  readonly connection: Connection;
  readonly metadata: grpc.Metadata;
  readonly record: RequestRecord;
}

/** A method with one request and one response. */
export interface UnaryMethod {
  /** Whether a client without a certificate may call it. */
  readonly anonymous?: boolean;
  readonly serve: (request: unknown, call: Call) => object | Promise<object>;
}

type Handler =
  | grpc.handleUnaryCall<unknown, object>
  | grpc.handleBidiStreamingCall<unknown, object>
  | grpc.handleServerStreamingCall<unknown, object>;

/** How gRPC servers treat a connection. */
export interface Http2Options {
  /** Streams above it are refused with REFUSED_STREAM. */
  readonly maxConcurrentStreams?: number;
  /** How often gRPC clients are pinged; gRPC for Go pings soon after it receives data. By default never. */
  readonly pingMs?: number;
}

/** Runs before every unary method; throws to refuse the call. */
export type Guard = (call: Call) => void;

export class GrpcServer {
  readonly #world: World;
  readonly #guard: Guard;
  readonly #limiter: AddressLimiter | undefined;
  readonly #server: grpc.Server;
  readonly #injector: grpc.ConnectionInjector;
  readonly #connections = new Map<string, Connection>();

  /** @param limiter of the service that this server belongs to, if it has limits */
  constructor(world: World, guard: Guard, { maxConcurrentStreams, pingMs }: Http2Options, limiter?: AddressLimiter) {
    this.#world = world;
    this.#guard = guard;
    this.#limiter = limiter;
    this.#server = new grpc.Server({
      ...(maxConcurrentStreams === undefined ? {} : { 'grpc.max_concurrent_streams': maxConcurrentStreams }),
      ...(pingMs === undefined ? {} : { 'grpc.keepalive_time_ms': pingMs }),
    });
    this.#injector = this.#server.createConnectionInjector(grpc.ServerCredentials.createInsecure());
  }

  /** The methods of a service can be added in several calls; the others are unimplemented. */
  addUnary(service: string, methods: Readonly<Record<string, UnaryMethod>>): void {
    for (const [name, method] of Object.entries(methods)) {
      this.#register(service, name, this.#unary(service, name, method), 'unary');
    }
  }

  /** @param serve reads requests from the call and writes responses to it; an error it throws ends the call */
  addBidirectional(
    service: string,
    method: string,
    serve: (call: grpc.ServerDuplexStream<unknown, object>, connection: Connection) => Promise<void>,
  ): void {
    const handler: grpc.handleBidiStreamingCall<unknown, object> = (call) => {
      const connection = this.#connectionOf(call);
      const { hello, listener } = connection;
      const kind = kindOf(service, method);
      const onLimited = (outcome: string): void => {
        this.#world.records.add({ listener, kind, ...hello, userAgent: userAgentOf(call), fields: {} }).outcome =
          outcome;
      };
      this.#limited(connection, () => serve(call, connection), onLimited).then(
        () => {
          call.end();
        },
        (error: unknown) => {
          call.emit('error', toGrpcError(toTeleportError(error)));
        },
      );
    };
    this.#register(service, method, handler, 'bidi');
  }

  /**
   * @param serve sends the current responses, and returns whether the call then ends or stays open until the client
   * ends it
   */
  addServerStream(
    service: string,
    method: string,
    serve: (send: (answer: object) => void, call: Call) => Promise<'ended' | 'open'>,
  ): void {
    const handler: grpc.handleServerStreamingCall<unknown, object> = (call) => {
      const connection = this.#connectionOf(call);
      const kind = `rpc:/${service}/${method}` as const;
      const { hello, listener } = connection;
      const record = this.#world.records.add({ listener, kind, ...hello, userAgent: userAgentOf(call), fields: {} });
      const context: Call = { connection, record, metadata: call.metadata };
      const answer = async (): Promise<void> => {
        failWith(this.#world.faults.replies[kind], connection);
        this.#guard(context);
        if (connection.identity === undefined) {
          throw accessDenied('access denied');
        }
        if (this.#world.faults.replies[kind] !== 'silent') {
          this.#tellVersion(call, connection);
          const state = await serve((answer) => call.write(answer), context);
          if (state === 'ended') {
            call.end();
          }
        }
      };
      observe(record, () => this.#limited(connection, answer)).catch((error: unknown) => {
        call.emit('error', toGrpcError(toTeleportError(error)));
      });
    };
    this.#register(service, method, handler, 'serverStream');
  }

  accept(connection: Connection): void {
    // gRPC is spoken with any protocol chosen in the handshake, but Node speaks HTTP/2 only if it was `h2`.
    connection.socket.alpnProtocol = 'h2';
    const peer = peerOf(connection);
    this.#connections.set(peer, connection);
    connection.socket.once('close', () => this.#connections.delete(peer));
    this.#injector.injectConnection(connection.socket);
  }

  close(): void {
    this.#injector.destroy();
    this.#server.forceShutdown();
  }

  #unary(service: string, name: string, method: UnaryMethod): grpc.handleUnaryCall<unknown, object> {
    return (request, reply) => {
      const connection = this.#connectionOf(request);
      const { hello } = connection;
      const kind = `rpc:/${service}/${name}` as const;
      const userAgent = userAgentOf(request);
      const record = this.#world.records.add({ listener: connection.listener, kind, ...hello, userAgent, fields: {} });
      const call: Call = { connection, record, metadata: request.metadata };
      const fault = this.#world.faults.replies[kind];
      const answer = (): object | Promise<object> => {
        failWith(fault, connection);
        this.#guard(call);
        if (connection.identity === undefined && method.anonymous !== true) {
          throw accessDenied('access denied');
        }
        return method.serve(request.request, call);
      };
      observe(record, () => this.#limited(connection, answer)).then(
        (answer) => {
          if (fault !== 'silent') {
            this.#tellVersion(request, connection);
            reply(null, answer);
          }
        },
        (error: unknown) => {
          this.#tellVersion(request, connection);
          reply(toGrpcError(toTeleportError(error)));
        },
      );
    };
  }

  /**
   * Serves a call, unless the client's address has too many of them.
   * @param onLimited called with the outcome of a call that is rejected, before the error is thrown
   */
  async #limited<T>(
    { socket }: Connection,
    serve: () => T | Promise<T>,
    onLimited: (outcome: string) => void = () => undefined,
  ): Promise<T> {
    const release = this.#admit(socket.remoteAddress ?? '', onLimited);
    try {
      await this.#world.limiters?.ready();
      return await serve();
    } finally {
      release?.();
    }
  }

  #admit(address: string, onLimited: (outcome: string) => void): (() => void) | undefined {
    try {
      return this.#limiter?.admitCall(address);
    } catch (error) {
      onLimited(describeError(toTeleportError(error)));
      throw error;
    }
  }

  /** The headers of Auth's responses contain its version (api/metadata/metadata.go). */
  #tellVersion(call: { sendMetadata(headers: grpc.Metadata): void }, { listener }: Connection): void {
    if (listener === 'auth') {
      const headers = new grpc.Metadata();
      headers.set('version', this.#world.profile.version);
      call.sendMetadata(headers);
    }
  }

  #connectionOf(call: { getPeer(): string }): Connection {
    const connection = this.#connections.get(call.getPeer());
    if (connection === undefined) {
      throw new Error(`a call from ${call.getPeer()}, which is not connected`);
    }
    return connection;
  }

  /** Spoils responses according to the current faults. */
  #register(service: string, name: string, handler: Handler, type: 'unary' | 'bidi' | 'serverStream'): void {
    const { path, requestDeserialize, responseSerialize } = methodDefinition(service, name);
    const kind = kindOf(service, name);
    const serialize = (answer: object): Buffer => spoil(responseSerialize(answer), this.#world.faults.replies[kind]);
    if (!this.#server.register(path, handler, serialize, requestDeserialize, type)) {
      throw new Error(`${path} is served already`);
    }
  }
}

function kindOf(service: string, method: string): RequestKind {
  return service === 'teleport.join.v1.JoinService' ? 'join-service' : `rpc:/${service}/${method}`;
}

/** Faults that replace a response, for unary and streaming calls. */
export function failWith(fault: ReplyFault | undefined, connection: Connection): void {
  if (fault === 'reset') {
    connection.socket.destroy();
    throw new TeleportError('ConnectionProblem', 'the connection was reset');
  }
  if (fault === 'unavailable') {
    throw new TeleportError('ConnectionProblem', 'the service is not available');
  }
  if (fault === 'limited') throw new TeleportError('LimitExceeded', 'rate limit exceeded');
}

/** A message without its last byte cannot be parsed, whatever its last field is. */
function spoil(message: Buffer, fault: ReplyFault | undefined): Buffer {
  switch (fault) {
    case 'truncated':
      return message.subarray(0, -1);
    case 'oversized':
      return Buffer.alloc(OVERSIZED_REPLY_BYTES);
    case 'not-json':
      return Buffer.from('<html></html>');
    case undefined:
    case 'silent':
    case 'reset':
    case 'reset-midway':
    case 'unavailable':
    case 'limited':
    case 'limited-midway':
      return message;
  }
}

export function userAgentOf({ metadata }: { readonly metadata: grpc.Metadata }): string | undefined {
  return metadata.get('user-agent')[0]?.toString();
}

function peerOf(connection: Connection): string {
  return `${connection.socket.remoteAddress ?? ''}:${String(connection.socket.remotePort)}`;
}
