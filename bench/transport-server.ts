/**
 * The server for measuring the throughput of `ssh-proxy-command`: responds to any call with a given number of MiB, in
 * prepared messages. The embedded cluster, on grpc-js, needs twice the CPU time of the measured process, so that it would
 * be measured instead. Prints its port, and its certificate and key in PEM, as one line of JSON.
 */
import { createSecureServer, type ServerHttp2Stream } from 'node:http2';
import { selfSigned } from '../test/tls-certificate.ts';

/** Teleport's buffer size for data from a node. */
const PAYLOAD_BYTES = 32 * 1024;
const MESSAGES_AT_ONCE = 32;

const blocks = Number(process.argv[2]);
const { certificate, key } = await selfSigned('teleport.cluster.local');
const block = Buffer.concat(Array.from({ length: MESSAGES_AT_ONCE }, message));

const server = createSecureServer({ cert: certificate, key });
server.on('stream', (stream: ServerHttp2Stream) => {
  stream.on('error', () => undefined);
  // Data from the client is not needed, but must be read.
  stream.resume();
  stream.on('wantTrailers', () => {
    stream.sendTrailers({ 'grpc-status': '0' });
  });
  stream.respond({ ':status': 200, 'content-type': 'application/grpc' }, { waitForTrailers: true });
  let sent = 0;
  const more = () => {
    while (sent < blocks) {
      sent += 1;
      if (!stream.write(block)) return;
    }
    stream.end();
  };
  stream.on('drain', more);
  more();
});
server.listen(0, '127.0.0.1', () => {
  const address = server.address();
  console.log(JSON.stringify({ port: typeof address === 'object' ? address?.port : undefined, certificate, key }));
});

/** The gRPC prefix, then field `ssh` (2) of a response with field `payload` (1) of a frame. */
function message(): Buffer {
  const payload = lengthDelimited(1, Buffer.alloc(PAYLOAD_BYTES, 'x'));
  const body = lengthDelimited(2, payload);
  const prefix = Buffer.alloc(5);
  prefix.writeUInt32BE(body.length, 1);
  return Buffer.concat([prefix, body]);
}

function lengthDelimited(field: number, bytes: Buffer): Buffer {
  const length: number[] = [];
  for (let rest = bytes.length; ; rest >>>= 7) {
    length.push(rest > 0x7f ? (rest & 0x7f) | 0x80 : rest);
    if (rest <= 0x7f) break;
  }
  return Buffer.concat([Buffer.from([(field << 3) | 2, ...length]), bytes]);
}
