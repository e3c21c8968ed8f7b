/** Runs the bundle with a tbot.yaml that a test writes. */
import type { Cluster } from '../cluster/cluster.ts';
import type { Job } from './job.ts';
import type { BundleRun } from './run-bundle.ts';

export async function runFile(job: Job, text: string, flags: readonly string[] = []): Promise<BundleRun> {
  return job.run(['run', '-c', await job.addFile('tbot.yaml', text), '--json', ...flags]);
}

/** Runs identity outputs, each given as the content of its flow mapping, without the type. */
export function runOutputs(
  cluster: Cluster,
  job: Job,
  outputs: readonly string[],
  rest = '',
  flags: readonly string[] = [],
): Promise<BundleRun> {
  return runItems(
    cluster,
    job,
    outputs.map((output) => `type: identity, ${output}`),
    rest,
    flags,
  );
}

/**
 * Runs outputs, each given as the content of its flow mapping.
 * @param rest the rest of the file, as whole lines
 */
export function runItems(
  cluster: Cluster,
  job: Job,
  outputs: readonly string[],
  rest = '',
  flags: readonly string[] = [],
): Promise<BundleRun> {
  return runFile(job, itemsText(cluster, outputs, rest), flags);
}

/** The file with these outputs, each given as the content of its flow mapping. */
export function itemsText({ info }: Cluster, outputs: readonly string[], rest = ''): string {
  return `version: v2
proxy_server: ${info.proxy}
onboarding: { join_method: circleci, token: ${info.joinToken} }
outputs:
${outputs.map((output) => `  - { ${output} }\n`).join('')}
${rest}
`;
}

/** @param more further keys of the destination, beginning with a comma */
export function directory(path: string, more = ''): string {
  return `destination: { type: directory, path: ${path}${more} }`;
}
