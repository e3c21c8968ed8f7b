/** Steps of a job that use what a run has written, one for each output. */
import { join } from 'node:path';
import type { SupportedOutput } from '../config/supported.ts';
import { escaped } from './expression.ts';
import type { Setup } from './setup.ts';
import { shellWord } from './shell-text.ts';
import { indented } from './yaml-text.ts';

/** The executor of the orb has no kubectl. */
export function imageFor(outputs: readonly SupportedOutput[]): string {
  return outputs.some(({ type }) => type === 'kubernetes')
    ? 'docker:\n  - image: cimg/deploy:2026.07-node'
    : 'executor: machine-id/default';
}

export function consumerSteps({ outputs, proxy }: Pick<Setup, 'outputs' | 'proxy'>): string {
  return outputs.map((output) => stepFor(output, proxy)).join('');
}

function stepFor(output: SupportedOutput, proxy: string): string {
  const folder = output.destination.type === 'directory' ? output.destination.path : '';
  const certificate = shellWord(join(folder, 'tlscert'));
  const look = `openssl x509 -in ${certificate} -noout -subject -enddate`;
  if (output.type === 'kubernetes') return step('List the pods', ['kubectl get pods']);
  if (output.type === 'database') return step('Look at the certificate for the database', [look, ...FOR_POSTGRESQL]);
  if (output.type === 'application') {
    const key = shellWord(join(folder, 'key'));
    return step('Call the application', [
      '# Its public address, unless it has one of its own.',
      `curl --fail --cert ${certificate} --key ${key} ${shellWord(applicationUrl(output.appName, proxy))}`,
    ]);
  }
  return step('Look at the identity', [look, ...FOR_NODES]);
}

const FOR_POSTGRESQL = [
  "# With PostgreSQL, at the Proxy's listener for it; certificate, key and authorities are exported already:",
  '# PGHOST=HOST PGPORT=5432 PGSSLMODE=verify-full psql',
];

const FOR_NODES = [
  '# For a node of the cluster:',
  '# ssh -F "$MACHINE_ID_DESTINATION/ssh_config" "USER@NODE.$TELEPORT_CLUSTER" hostname',
];

function applicationUrl(name: string, proxy: string): string {
  return `https://${name}.${proxy.replace(/:443$/, '')}/`;
}

function step(name: string, lines: readonly string[]): string {
  return `- run:\n    name: ${name}\n    command: |\n${indented(escaped(lines.join('\n')), 6)}\n`;
}
