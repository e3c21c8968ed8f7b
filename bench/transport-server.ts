/**
 * The far end of `ssh-proxy-command` for the measure of throughput: answers any call with so many MiB at once, in
 * messages that are made beforehand. The embedded cluster, on grpc-js, takes twice the processor time of what is
 * measured, and would be measured instead. Prints its port and, in PEM, certificate and key as one line of JSON.
 */
import { createSecureServer, type ServerHttp2Stream } from 'node:http2';
import { selfSigned } from '../test/tls-certificate.ts';

/** As Teleport copies from a node. */
const PAYLOAD_BYTES = 32 * 1024;
const MESSAGES_AT_ONCE = 32;

const blocks = Number(process.argv[2]);
const { certificate, key } = await selfSigned('teleport.cluster.local');
const block = Buffer.concat(Array.from({ length: MESSAGES_AT_ONCE }, message));

const server = createSecureServer({ cert: certificate, key });
server.on('stream', (stream: ServerHttp2Stream) => {
  stream.on('error', () => undefined);
  // What the client sends is not of interest, but must be taken.
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

/** gRPC's prefix, field `ssh` (2) of a response, in it field `payload` (1) of a frame. */
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
