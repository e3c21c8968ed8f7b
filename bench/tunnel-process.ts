/** A tunnel with a fixed certificate, in its own process. Arguments: folder of the PEM files, port of the server. Prints its port. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { systemFiles } from '../src/effects/files.ts';
import { Secret } from '../src/effects/secret.ts';
import { sharedController, systemClock } from '../src/effects/time.ts';
import { NO_RECORD } from '../src/job/manifest.ts';
import { openNetwork } from '../src/net/network.ts';
import { openUpgrades } from '../src/teleport/connection-upgrade.ts';
import { openByteTunnel } from '../src/tunnels/byte-tunnel.ts';
import { newCounts } from '../src/tunnels/connections.ts';
import { quietWire } from '../src/tunnels/wire.ts';

const [, , folder = '', port = ''] = process.argv;
const pem = (name: string) => readFileSync(join(folder, name), 'utf8');
const network = openNetwork({ environment: {} });
const trust = { ca: pem('server.crt'), verify: true };
const environment = { TELEPORT_TLS_ROUTING_CONN_UPGRADE: 'false' };
const nothing = () => undefined;

const { address } = await openByteTunnel(
  { kind: 'tcp', host: '127.0.0.1', port: 0 },
  {
    name: 'bench',
    counts: newCounts(),
    maxConnections: 4000,
    clock: systemClock,
    files: systemFiles,
    record: NO_RECORD,
    log: { debug: nothing, info: nothing, warn: console.error },
    signal: sharedController().signal,
    proxy: {
      address: { host: 'localhost', port: Number(port) },
      network,
      trust,
      upgrades: openUpgrades({ network, trust: () => Promise.resolve(trust), environment }),
    },
    health: { problem: nothing, suspect: nothing, onProblem: () => nothing, sinceMs: () => 0, outages: () => 0 },
  },
  () =>
    Promise.resolve({
      certificate: {
        certificatePem: pem('client.crt'),
        privateKeyPem: new Secret(pem('client.key')),
        hostAuthoritiesPem: [],
        expiresAtMs: Date.now() + 60 * 60_000,
      },
      route: { alpn: 'teleport-postgres' },
      wire: quietWire(systemClock),
      target: 'the peer',
      clientVariables: () => new Map(),
    }),
);
console.log(address.split(':')[1]);
