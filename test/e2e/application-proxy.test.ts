/** The tunnel `application-proxy`, used by curl and by a WebSocket client. */
import assert from 'node:assert/strict';
import { type EventEmitter, once } from 'node:events';
import { type ClientRequest, createServer, IncomingMessage, request, type RequestListener } from 'node:http';
import { connect, createServer as createTcpServer, type Server, type Socket } from 'node:net';
import test, { after } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { WebSocket, WebSocketServer } from 'ws';
import { missing, type ProgramRun, runProgram } from '../programs.ts';
import { clusterForFile } from './embedded-cluster.ts';
import { beginJob } from './job.ts';

const skip = missing('curl');
const cluster = await clusterForFile();
const address = await startTunnel();
const dashboard = createServer(respond);
new WebSocketServer({ server: dashboard }).on('connection', (socket, { headers, url }) => {
  socket.on('message', (data) => {
    socket.send(`${String(headers.host)} ${String(url)} ${data instanceof Buffer ? data.toString() : ''}`);
  });
});
await begin('dashboard', dashboard);
await begin(
  'wiki-k8s-tools',
  createServer((_request, response) => response.end('wiki')),
);
await begin(
  'broker',
  createTcpServer((socket) => socket.on('error', () => undefined).pipe(socket)),
);

/** Open answers of the dashboard, which a test ends. */
const open: { end: (text: string) => void }[] = [];

function respond(...[incoming, response]: Parameters<RequestListener>): void {
  const { headers, method = '', url = '' } = incoming;
  switch (url) {
    case '/redirect':
      response.writeHead(302, ['Location', 'http://elsewhere/', 'Set-Cookie', 'a=1', 'Set-Cookie', 'b=2']).end();
      return;
    case '/stream':
      response.write('first');
      open.push(response);
      return;
    case '/echo':
      incoming.pipe(response);
      return;
    default:
      response.end(`${method} ${url} ${String(headers.host)} ${String(headers['proxy-authorization'])}`);
  }
}

async function begin(name: string, server: Server): Promise<void> {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  after(() => server.close());
  const listening = server.address();
  const found = cluster.resources.applications.find((one) => one.name === name);
  assert.ok(found !== undefined && typeof listening === 'object' && listening !== null);
  found.port = listening.port;
}

/** One tunnel for the file; resolves with its address. */
async function startTunnel(): Promise<string> {
  const job = await beginJob({ after }, cluster);
  const flags = job.flags.slice(1, 5);
  const { child, finished } = job.start(['tunnel', ...flags, '--foreground', '--application-proxy']);
  after(async () => {
    child.kill();
    await finished;
  });
  let log = '';
  child.stderr?.on('data', (text) => (log += String(text)));
  for (;;) {
    const [, found] = /application-proxy: ready at (\S+) for/.exec(log) ?? [];
    if (found !== undefined) return found;
    assert.equal(child.exitCode, null, log);
    await pause(20);
  }
}

function curl(...args: string[]): Promise<ProgramRun> {
  return runProgram('curl', ['--silent', '--show-error', '--proxy', `http://${address}`, ...args]);
}

async function answerTo(asked: ClientRequest): Promise<IncomingMessage> {
  const answer: unknown = (await once(asked, 'response'))[0];
  assert.ok(answer instanceof IncomingMessage);
  return answer;
}

async function next(emitter: EventEmitter, event: string): Promise<string> {
  const events = await once(emitter, event, { signal: AbortSignal.timeout(20_000) });
  return String(events[0]);
}

/** A request whose body and answer the test reads and writes itself. */
function ask(path: string, method = 'GET'): ClientRequest {
  const [host = '', port = ''] = address.split(':');
  return request({ host, port, method, path: `http://dashboard${path}`, agent: false });
}

async function connected(authority: string): Promise<Socket> {
  const [host = '', port = ''] = address.split(':');
  const socket = connect({ host, port: Number(port) });
  socket.write(`CONNECT ${authority} HTTP/1.1\r\nHost: ${authority}\r\n\r\n`);
  assert.match(await next(socket, 'data'), /^HTTP\/1\.1 200 /);
  return socket;
}

test('the host of a request is the name of the application, which sees that host', { skip }, async () => {
  assert.equal((await curl('http://dashboard/a?b=c')).stdout, 'GET /a?b=c dashboard undefined');
  assert.equal((await curl('http://wiki-k8s-tools/')).stdout, 'wiki');
  assert.equal((await curl('http://DASHBOARD.localhost:8080/')).stdout, 'GET / DASHBOARD.localhost:8080 undefined');
  assert.equal(
    (await curl('--proxy-user', 'a:b', '-X', 'PUT', 'http://dashboard/')).stdout,
    'PUT / dashboard undefined',
  );
  assert.equal((await curl('--proxytunnel', 'http://dashboard/')).stdout, 'GET / dashboard undefined');
});

test('an answer arrives as it is: redirects are not followed, and no header gets lost', { skip }, async () => {
  const { stdout } = await curl('--include', 'http://dashboard/redirect');
  assert.match(
    stdout,
    /^HTTP\/1\.1 302 Found\r\nLocation: http:\/\/elsewhere\/\r\nSet-Cookie: a=1\r\nSet-Cookie: b=2\r\n/i,
  );
});

test('requests one after another share a connection to the Proxy', { skip }, async () => {
  const before = cluster.records.of('connection').length;
  for (const path of ['/1', '/2', '/3']) await curl(`http://dashboard${path}`);
  assert.ok(cluster.records.of('connection').length - before <= 1);
});

test('an answer and a request body arrive while they are being sent', async () => {
  const download = ask('/stream').end();
  const answer = await answerTo(download);
  assert.equal(await next(answer, 'data'), 'first');
  open.pop()?.end('last');
  assert.equal(await next(answer, 'data'), 'last');

  const upload = ask('/echo', 'POST');
  upload.write('one');
  const echo = await answerTo(upload);
  assert.equal(await next(echo, 'data'), 'one');
  upload.end('two');
  assert.equal(await next(echo, 'data'), 'two');
});

test('an answer that breaks off does not end as if it were complete', async () => {
  const download = ask('/stream').end();
  const answer = await answerTo(download);
  await once(answer, 'data');
  dashboard.closeAllConnections();
  await assert.rejects(once(answer.resume(), 'end'), { code: 'ECONNRESET' });
});

test('a WebSocket client reaches the application, by its request and by CONNECT', async () => {
  const direct = () => new WebSocket(`ws://${address}/direct`, { headers: { Host: 'dashboard' } });
  const socket = await connected('dashboard:80');
  const tunneled = () => new WebSocket('ws://dashboard/tunneled', { createConnection: () => socket });
  for (const [open, expected] of [
    [direct, 'dashboard /direct hello'],
    [tunneled, 'dashboard /tunneled hello'],
  ] as const) {
    const client = open();
    client.once('open', () => {
      client.send('hello');
    });
    assert.equal(await next(client, 'message'), expected);
    client.close();
  }
});

test('CONNECT leads to an application that speaks no HTTP', async () => {
  const socket = await connected('broker:9092');
  socket.write('\0bytes');
  assert.equal(await next(socket, 'data'), '\0bytes');
  socket.destroy();
});

for (const [what, args, status, expected] of [
  ['an application that the bot cannot see', ['http://backoffice/'], 404, /RESOURCE_UNKNOWN.*"backoffice\\" not found/],
  ['a request without CONNECT to one that speaks no HTTP', ['http://broker/'], 400, /REQUEST_REFUSED.*speaks no HTTP/],
  ['a host that is no name', ['http://[::1]/'], 400, /REQUEST_REFUSED.*names no host/],
] as const) {
  test(`${what} is refused with the reason`, { skip }, async () => {
    const { stdout } = await curl('--write-out', '%{http_code}', ...args);
    assert.match(stdout, expected);
    assert.ok(stdout.endsWith(String(status)), stdout);
  });
}

test('a client that starts TLS to an application gets an error, not a hang', { skip }, async () => {
  const refused = await curl('https://dashboard/');
  assert.match(refused.stderr, /CONNECT tunnel failed, response 400/);
  const closed = await curl('https://dashboard:8443/');
  assert.notEqual(closed.exitCode, 0);
});
