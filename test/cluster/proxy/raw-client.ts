/** A client for the cluster's own tests: grpc-js behind a relay that does the TLS of each route. */
import { once } from 'node:events';
import { connect, type ConnectionOptions, type TLSSocket } from 'node:tls';
import * as grpc from '@grpc/grpc-js';
import { methodDefinition } from '../auth/proto-files.ts';
import { listen, type TcpListener } from '../tcp-listener.ts';

/** Calls methods over plain HTTP/2 to a local port, which a relay forwards over TLS to the cluster. */
export class RawClient {
  readonly #relay: TcpListener;
  readonly #client: grpc.Client;

  private constructor(relay: TcpListener) {
    this.#relay = relay;
    this.#client = new grpc.Client(`127.0.0.1:${String(relay.port)}`, grpc.credentials.createInsecure());
  }

  static async open(tls: ConnectionOptions): Promise<RawClient> {
    const relay = await listen(0, (plain) => {
      const secure = connect(tls);
      secure.on('error', () => plain.destroy());
      plain.on('error', () => secure.destroy());
      secure.on('close', () => plain.destroy());
      plain.on('close', () => secure.destroy());
      plain.pipe(secure).pipe(plain);
    });
    return new RawClient(relay);
  }

  /** @param metadata request headers, such as `version` */
  unary(service: string, name: string, request: object, metadata: Record<string, string> = {}): Promise<object> {
    const method = methodDefinition(service, name);
    const headers = new grpc.Metadata();
    for (const [key, value] of Object.entries(metadata)) {
      headers.set(key, value);
    }
    return new Promise((resolve, reject) => {
      const { path, requestSerialize, responseDeserialize } = method;
      this.#client.makeUnaryRequest(path, requestSerialize, responseDeserialize, request, headers, (error, answer) => {
        if (error !== null || answer === undefined) {
          reject(error ?? new Error('an empty answer'));
        } else {
          resolve(answer);
        }
      });
    });
  }

  /** The values of a header of the response, which can be an error. */
  headers(service: string, name: string, request: object, header: string): Promise<readonly (string | Buffer)[]> {
    const { path, requestSerialize, responseDeserialize } = methodDefinition(service, name);
    return new Promise((resolve) => {
      this.#client
        .makeUnaryRequest(path, requestSerialize, responseDeserialize, request, () => undefined)
        .on('metadata', (headers: grpc.Metadata) => {
          resolve(headers.get(header));
        });
    });
  }

  /**
   * Sends each request after the response to the previous one; resolves with all responses.
   * @param metadata request headers, such as `version`
   */
  async converse(
    service: string,
    name: string,
    requests: readonly object[],
    metadata: Record<string, string> = {},
  ): Promise<object[]> {
    const { path, requestSerialize, responseDeserialize } = methodDefinition(service, name);
    const headers = grpc.Metadata.fromHttp2Headers(metadata);
    const stream = this.#client.makeBidiStreamRequest(path, requestSerialize, responseDeserialize, headers);
    const answers: object[] = [];
    let next = 0;
    const sendNext = (): void => {
      const request = requests[next++];
      if (request === undefined) {
        stream.end();
      } else {
        stream.write(request);
      }
    };
    stream.on('data', (answer: object) => {
      answers.push(answer);
      sendNext();
    });
    sendNext();
    await once(stream, 'end');
    return answers;
  }

  /** All responses of a streaming method. */
  async list(service: string, name: string, request: object): Promise<unknown[]> {
    const { path, requestSerialize, responseDeserialize } = methodDefinition(service, name);
    const stream = this.#client.makeServerStreamRequest<object, unknown>(
      path,
      requestSerialize,
      responseDeserialize,
      request,
    );
    const answers: unknown[] = [];
    for await (const answer of stream) {
      answers.push(answer);
    }
    return answers;
  }

  /** A call in which both sides send freely. */
  duplex(service: string, name: string): grpc.ClientDuplexStream<object, unknown> {
    const { path, requestSerialize, responseDeserialize } = methodDefinition(service, name);
    return this.#client.makeBidiStreamRequest<object, unknown>(path, requestSerialize, responseDeserialize);
  }

  async close(): Promise<void> {
    this.#client.close();
    await this.#relay.close();
  }
}

/** Resolves after the handshake; rejects with its alert. */
export async function dialTls(options: ConnectionOptions): Promise<TLSSocket> {
  const socket = connect(options);
  await once(socket, 'secureConnect');
  return socket;
}
