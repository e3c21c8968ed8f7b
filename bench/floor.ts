/** The floor: the time that every run needs on this machine. */
import { execFileSync } from 'node:child_process';
import { generateKeyPair } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { connect } from 'node:tls';
import { promisify } from 'node:util';
import type { BenchCluster } from './cluster.ts';
import { type Figures, one, repeat, type Row, row, timed } from './figures.ts';

export interface Floor {
  readonly rows: readonly Row[];
  /** The sum of the medians. */
  readonly floorMs: number;
  readonly nodeStart: Figures;
}

export async function measureFloor(cluster: BenchCluster): Promise<Floor> {
  const nodeStart = await repeat(() => timed(() => execFileSync(process.execPath, ['-e', '0'])));
  const handshakes = await repeat(() => timed(() => handshake(cluster)));
  const rsa = await repeat(() => timed(() => promisify(generateKeyPair)('rsa', { modulusLength: 2048 })));
  const floorMs = nodeStart.median + handshakes.median + rsa.median;
  const rows = [
    row('node -e 0', nodeStart, 'ms'),
    row('one TLS handshake', handshakes, 'ms'),
    row('one RSA-2048 key pair', rsa, 'ms'),
    row('floor (sum of medians)', one(floorMs), 'ms'),
  ];
  return { rows, floorMs, nodeStart };
}

function handshake({ proxy, webCa }: BenchCluster): Promise<void> {
  const [host = '', port = ''] = proxy.split(':');
  const ca = readFileSync(webCa);
  return new Promise((resolve, reject) => {
    const socket = connect({ host, port: Number(port), ca, ALPNProtocols: ['http/1.1'] }, () => {
      socket.destroy();
      resolve();
    });
    socket.once('error', reject);
  });
}
