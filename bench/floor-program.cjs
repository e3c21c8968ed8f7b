// The least that a program on Node.js can do for the certificates of one identity: node bench/floor-program.cjs 18|15
// PROXY CA_FILE TOKEN_NAME BOT CLUSTER, with the OIDC token in CIRCLE_OIDC_TOKEN. It makes the two keys, opens the TLS
// connections, and sends the requests whose responses an identity consists of. It checks nothing, retries nothing, writes
// no file, and knows in advance what the real program reads from responses. Version 18 joins by the join service while it
// asks the Proxy for its addresses, version 15 by the registration endpoint after that.
const { createHash, generateKeyPair, X509Certificate } = require('node:crypto');
const { readFileSync } = require('node:fs');
const { connect: connectHttp2 } = require('node:http2');
const { Agent, request } = require('node:https');
const { connect } = require('node:tls');
const { promisify } = require('node:util');

const [version, proxy, caFile, tokenName, bot, cluster] = process.argv.slice(2);
const [host, port] = proxy.split(':');
const ca = readFileSync(caFile);
const jwt = process.env.CIRCLE_OIDC_TOKEN;
const isOld = version === '15';
const agent = new Agent({ keepAlive: true, maxSockets: 1, ca });
/** The roles that the bot's role may impersonate. */
const ROLES = ['access', 'deployer'];

// Two keys, in Node's thread pool while the connections are opened.

const makeKeys = promisify(generateKeyPair);
const makeKey = () => (isOld ? makeKeys('rsa', { modulusLength: 2048 }) : makeKeys('ec', { namedCurve: 'P-256' }));
const botKey = makeKey();
const outputKey = makeKey();

/** RFC 4253 section 6.6, RFC 5656 section 3.1. */
function sshKey({ publicKey }) {
  const string = (value) => {
    const bytes = Buffer.from(value);
    const length = Buffer.alloc(4);
    length.writeUInt32BE(bytes.length);
    return Buffer.concat([length, bytes]);
  };
  const number = (base64url) => string(Buffer.concat([Buffer.of(0), Buffer.from(base64url, 'base64url')]));
  const { e, n, x, y } = publicKey.export({ format: 'jwk' });
  if (isOld) return Buffer.concat([string('ssh-rsa'), string(Buffer.from(e, 'base64url')), number(n)]);
  const point = Buffer.concat([Buffer.of(4), Buffer.from(x, 'base64url'), Buffer.from(y, 'base64url')]);
  return Buffer.concat([string('ecdsa-sha2-nistp256'), string('nistp256'), string(point)]);
}

const sshLine = (key) => `${isOld ? 'ssh-rsa' : 'ecdsa-sha2-nistp256'} ${sshKey(key).toString('base64')}\n`;
const spki = ({ publicKey }, format) => publicKey.export({ type: 'spki', format });

// Protobuf: a field of bytes, a field of a number, and the bytes of one field.

function varint(value) {
  const bytes = [];
  for (let rest = value; ; rest = Math.floor(rest / 128)) {
    bytes.push(rest < 128 ? rest : (rest % 128) + 128);
    if (rest < 128) return Buffer.from(bytes);
  }
}

function field(number, ...parts) {
  const value = Buffer.concat(parts.map((part) => Buffer.from(part)));
  return Buffer.concat([varint(number * 8 + 2), varint(value.length), value]);
}

const numberField = (number, value) => Buffer.concat([varint(number * 8), varint(value)]);

function fieldsOf(message, wanted) {
  const found = [];
  let at = 0;
  const next = () => {
    let [value, scale] = [0, 1];
    for (; message[at] > 127; at += 1, scale *= 128) value += (message[at] - 128) * scale;
    value += message[at] * scale;
    at += 1;
    return value;
  };
  while (at < message.length) {
    const tag = next();
    const value = next();
    if (tag % 8 === 0) continue;
    if (Math.floor(tag / 8) === wanted) found.push(message.subarray(at, at + value));
    at += value;
  }
  return found;
}

// gRPC over HTTP/2: a call whose requests are sent one by one, each after a response.

function http2Over(options) {
  const socket = connect({ host, port: Number(port), ...options });
  return connectHttp2(`https://${host}`, { createConnection: () => socket });
}

function call(session, path, first, next) {
  const stream = session.request({
    ':method': 'POST',
    ':path': path,
    'content-type': 'application/grpc',
    te: 'trailers',
  });
  const send = (message) => {
    const head = Buffer.alloc(5);
    head.writeUInt32BE(message.length, 1);
    stream.write(Buffer.concat([head, message]));
  };
  send(first);
  if (next === undefined) stream.end();
  return new Promise((resolve, reject) => {
    let received = Buffer.alloc(0);
    let isAnswered = false;
    stream.on('trailers', (trailers) => {
      if (trailers['grpc-status'] !== '0') reject(new Error(`${path}: ${trailers['grpc-message']}`));
    });
    stream.on('error', reject);
    stream.on('data', (bytes) => {
      received = Buffer.concat([received, bytes]);
      if (received.length < 5 || received.length < 5 + received.readUInt32BE(1)) return;
      const message = received.subarray(5, 5 + received.readUInt32BE(1));
      received = received.subarray(5 + message.length);
      if (next === undefined || isAnswered) {
        resolve(message);
        return;
      }
      isAnswered = true;
      next.then((request) => {
        send(request);
        stream.end();
      }, reject);
    });
  });
}

const inAnHour = () => Math.floor(Date.now() / 1000) + 3600;

// The join: three PEM texts, and the key that they belong to.

const pem = (der) => `-----BEGIN CERTIFICATE-----\n${der.toString('base64')}\n-----END CERTIFICATE-----\n`;

async function joinByService() {
  const session = http2Over({ ca, servername: host, ALPNProtocols: ['teleport-proxy-grpc', 'h2'] });
  const hello = field(1, field(1, 'circleci'), field(2, tokenName), field(3, 'Bot'));
  const keys = botKey.then((key) => {
    const parameters = field(
      2,
      field(1, field(1, spki(key, 'der')), field(2, sshKey(key))),
      field(2, numberField(1, inAnHour())),
    );
    return field(8, field(1, parameters), field(2, jwt));
  });
  const response = await call(session, '/teleport.join.v1.JoinService/Join', hello, keys);
  session.destroy();
  const [certificates] = [3, 2, 1].reduce((messages, number) => fieldsOf(messages[0], number), [response]);
  return { cert: pem(fieldsOf(certificates, 1)[0]), ca: fieldsOf(certificates, 2).map(pem) };
}

async function joinByEndpoint() {
  const key = await botKey;
  const base64 = (text) => Buffer.from(text).toString('base64');
  const body = await http('POST', '/v1/webapi/host/credentials', {
    role: 'Bot',
    token: tokenName,
    public_tls_key: base64(spki(key, 'pem')),
    public_ssh_key: base64(sshLine(key)),
    id_token: jwt,
    expires: new Date(inAnHour() * 1000).toISOString(),
  });
  const text = (value) => Buffer.from(value, 'base64').toString();
  return { cert: text(body.tls), ca: body.tls_ca_certs.map(text) };
}

function http(method, path, body) {
  return new Promise((resolve, reject) => {
    const headers = body === undefined ? {} : { 'content-type': 'application/json' };
    const sent = request({ host, port, path, method, headers, agent }, (response) => {
      let text = '';
      response.on('data', (bytes) => (text += bytes));
      response.on('end', () => {
        if (response.statusCode === 200) resolve(JSON.parse(text));
        else reject(new Error(`${path}: ${response.statusCode} ${text}`));
      });
    });
    sent.on('error', reject);
    sent.end(body && JSON.stringify(body));
  });
}

async function main() {
  const discovery = http('GET', '/webapi/ping');
  const joined = isOld ? await discovery.then(joinByEndpoint) : await joinByService();
  const name = `${Buffer.from(cluster).toString('hex')}.teleport.cluster.local`;
  const own = new X509Certificate(joined.cert);
  const auth = http2Over({
    cert: joined.cert,
    // OpenSSL would send the authority that signed the own certificate along with it, which the Auth Service refuses.
    ca: joined.ca.filter((one) => !own.verify(new X509Certificate(one).publicKey)),
    key: (await botKey).privateKey.export({ type: 'pkcs8', format: 'pem' }),
    servername: name,
    ALPNProtocols: [`teleport-auth@${name}`, 'h2'],
  });
  const authorities = ['host', 'user', 'db'].map((type) =>
    call(auth, '/teleport.trust.v1.TrustService/GetCertAuthorities', field(1, type)),
  );
  await call(auth, '/proto.AuthService/GetRole', field(1, `bot-${bot}`));
  const key = await outputKey;
  const keys = isOld ? [field(1, sshLine(key))] : [field(22, sshLine(key)), field(23, spki(key, 'pem'))];
  const request = Buffer.concat([
    field(2, `bot-${bot}`),
    field(3, numberField(1, inAnHour())),
    field(5, cluster),
    ...ROLES.map((role) => field(12, role)),
    numberField(14, 1),
    ...keys,
  ]);
  const certificates = await call(auth, '/proto.AuthService/GenerateUserCerts', request);
  await Promise.all([...authorities, discovery]);
  auth.destroy();
  agent.destroy();
  const tls = fieldsOf(certificates, 2)[0];
  process.stdout.write(`${createHash('sha256').update(tls).digest('hex')}\n`);
}

void main();
