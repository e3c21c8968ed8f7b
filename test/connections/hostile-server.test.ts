/** Servers that flood a call: each call ends in time and with little memory. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import test, { after } from 'node:test';
import { z } from 'zod';
import { withDeadline } from '../../src/effects/time.ts';
import { type GrpcConnection, grpcOver } from '../../src/grpc/client.ts';
import { JoinService } from '../../src/grpc/gen/teleport/join/v1/joinservice_pb.ts';
import { AuthService } from '../../src/grpc/gen/teleport/legacy/authservice_pb.ts';
import { dialTls } from '../../src/net/dial.ts';
import { network } from '../direct-network.ts';
import { bounded, compiled, FILE_MS } from '../programs.ts';
import { FLOODS } from './flood-server.ts';

const TIMEOUT_MS = 3000;
/** A flood uses CPU time, and timers are late on a busy machine. */
const MOST_MS = 30_000;
const MOST_BYTES = 128 * 1024 * 1024;

const Servers = z.record(z.string(), z.object({ port: z.number(), ca: z.string() }));

async function startServers() {
  const args = [compiled('test/connections/flood-server.ts'), 'serve'];
  const child = bounded(spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] }), FILE_MS);
  after(() => child.kill());
  for await (const line of createInterface({ input: child.stdout })) return Servers.parse(JSON.parse(line));
  throw new Error('the servers did not start');
}

type Call = (connection: GrpcConnection, signal: AbortSignal) => Promise<unknown>;

/** One response is expected, but two arrive. */
const CALLS: readonly (readonly [name: string, call: Call])[] = [
  ['a call', (connection, signal) => connection.call(AuthService.ping, {}, { signal })],
  [
    'a join',
    async (connection, signal) => {
      const answers = connection.stream(JoinService.join, [{}], { signal });
      await answers.next();
      await answers.next();
      throw new Error('two messages, of which none is what it should be');
    },
  ],
];

const servers = await startServers();

for (const kind of Object.keys(FLOODS)) {
  for (const [name, call] of CALLS) {
    test(`${name} that is flooded with ${kind} ends in time and in little memory`, async () => {
      const server = servers[kind];
      assert.ok(server !== undefined);
      const startMs = performance.now();
      const before = process.memoryUsage.rss();
      const address = { host: '127.0.0.1', port: server.port };
      const work = withDeadline({ waitingFor: 'the server', timeoutMs: TIMEOUT_MS }, async (signal) => {
        const dial = { address, serverName: 'localhost', alpn: ['h2'], ca: server.ca, signal };
        const connection = await grpcOver(await dialTls({ network, ...dial }), 'localhost');
        try {
          await call(connection, signal);
        } finally {
          connection.close();
        }
      });
      let peak = before;
      const watching = setInterval(() => {
        peak = Math.max(peak, process.memoryUsage.rss());
      }, 20);
      await assert.rejects(work);
      clearInterval(watching);
      assert.ok(performance.now() - startMs < MOST_MS);
      assert.ok(peak - before < MOST_BYTES, `${String(peak - before)} bytes more`);
    });
  }
}
