/** The variables that a run exports to later steps: paths and names, no secrets. */
import { join } from 'node:path';
import { utcTime } from '../crypto/validity.ts';
import type { RunResult } from '../outputs/result.ts';

/** @param protocol of a database, as Teleport names it */
export function isPostgres(protocol: string): boolean {
  return ['postgres', 'cockroachdb'].includes(protocol);
}

/** Every variable, in the order of the lines, and what it holds: docs/reference/exports.md shows this list. */
export const VARIABLES = {
  TELEPORT_PROXY: 'host:port of the Proxy, for tsh.',
  TELEPORT_AUTH_SERVER: 'The same, for tctl, or host:port of the Auth Service if the cluster was joined there.',
  TELEPORT_CLUSTER: 'Name of the cluster that was joined.',
  TELEPORT_IDENTITY_FILE: 'Path of the file identity, for tctl and tsh.',
  TF_TELEPORT_ADDR: "The value of TELEPORT_AUTH_SERVER, for Terraform's Teleport provider.",
  TF_TELEPORT_IDENTITY_FILE_PATH: "Path of the file identity, for Terraform's Teleport provider.",
  MACHINE_ID_DESTINATION: 'Path of the destination.',
  MACHINE_ID_EXPIRES_AT: 'When the certificates expire, such as 2026-01-31T12:00:00Z.',
  KUBECONFIG: 'The kubeconfig.yaml of every Kubernetes output, in their order, for kubectl and helm.',
  PGSSLCERT: 'With a PostgreSQL or CockroachDB output: its certificate, for psql and everything else that uses libpq.',
  PGSSLKEY: 'The key of that certificate.',
  PGSSLROOTCERT: 'The authorities of the Proxy, which is the server that psql connects to.',
  PGUSER: 'User of the database, if the output names one.',
  PGDATABASE: 'Name of the database, if the output names one.',
  AWS_SHARED_CREDENTIALS_FILE: "Path of the first file with AWS credentials, for AWS's programs.",
  AWS_PROFILE: 'The profile in that file, unless it is default.',
} as const;

export type VariableName = keyof typeof VARIABLES;

/**
 * tctl and Terraform's provider accept the address of a Proxy as well as that of the Auth Service. Of several outputs on disk, the variables name the
 * first `identity`, or else the first that has an identity file: its certificates are limited to one resource.
 */
export function exportedVariables(
  { auth, proxy, cluster, outputs }: Pick<RunResult, 'auth' | 'proxy' | 'cluster' | 'outputs'>,
  platform: string,
): ReadonlyMap<VariableName, string> {
  const server = auth ?? proxy ?? '';
  const variables = new Map<VariableName, string>([
    ...(proxy === undefined ? [] : [['TELEPORT_PROXY', proxy] as const]),
    ['TELEPORT_AUTH_SERVER', server],
    ['TELEPORT_CLUSTER', cluster],
  ]);
  const identities = outputs.filter(({ files }) => files.includes('identity'));
  const first = identities.find(({ type }) => type === 'identity') ?? identities[0];
  if (first !== undefined) {
    const identityFile = join(first.destination, 'identity');
    variables.set('TELEPORT_IDENTITY_FILE', identityFile);
    variables.set('TF_TELEPORT_ADDR', server);
    variables.set('TF_TELEPORT_IDENTITY_FILE_PATH', identityFile);
    variables.set('MACHINE_ID_DESTINATION', first.destination);
    variables.set('MACHINE_ID_EXPIRES_AT', utcTime(first.expiresAtMs));
  }
  const { listed, separator } = kubeconfigs(outputs, platform);
  if (listed.length > 0) variables.set('KUBECONFIG', listed.join(separator));
  for (const [name, value] of [...postgresVariables(outputs), ...awsVariables(outputs)]) variables.set(name, value);
  return variables;
}

/** One sentence for each export that later steps cannot use as expected. */
export function exportWarnings({ outputs }: Pick<RunResult, 'outputs'>, platform: string): readonly string[] {
  const { separator, unlisted } = kubeconfigs(outputs, platform);
  return [
    ...unlisted.map(
      (path) =>
        `KUBECONFIG cannot contain ${path}, because "${separator}" separates its entries: use a directory without that character`,
    ),
    ...sharedNames(outputs),
  ];
}

/** In the outputs' order, as kubectl reads `KUBECONFIG`. */
function kubeconfigs(outputs: RunResult['outputs'], platform: string) {
  const separator = platform === 'win32' ? ';' : ':';
  const paths = outputs
    .filter(({ files }) => files.includes('kubeconfig.yaml'))
    .map(({ destination }) => join(destination, 'kubeconfig.yaml'));
  return {
    separator,
    listed: paths.filter((path) => !path.includes(separator)),
    unlisted: paths.filter((path) => path.includes(separator)),
  };
}

/** Of contexts or users with the same name, kubectl uses that of the first file. */
function sharedNames(outputs: RunResult['outputs']): readonly string[] {
  const owners = new Map<string, string>();
  return outputs.flatMap(({ kubeconfig, path }) => {
    const names = [
      ...(kubeconfig?.contexts ?? []).map((name) => `context ${name}`),
      ...(kubeconfig === undefined ? [] : [`user ${kubeconfig.user}`]),
    ];
    return names.flatMap((name) => {
      const owner = owners.get(name) ?? path;
      owners.set(name, owner);
      const advice = 'set another context_name_template, or use "kubectl --kubeconfig FILE"';
      return owner === path
        ? []
        : [`${path} and ${owner} both define the ${name}: kubectl uses that of ${owner}; ${advice}`];
    });
  });
}

/** For the first AWS credentials on disk. The profile `default` is used without a variable. */
function awsVariables(outputs: RunResult['outputs']): ReadonlyMap<VariableName, string> {
  for (const { access, destination, files } of outputs) {
    const [file] = files;
    if (access?.kind !== 'aws' || file === undefined) continue;
    const { profile } = access;
    return new Map<VariableName, string>([
      ['AWS_SHARED_CREDENTIALS_FILE', join(destination, file)],
      ...(profile === 'default' ? [] : [['AWS_PROFILE', profile] as const]),
    ]);
  }
  return new Map();
}

/**
 * For libpq, from the first database with PostgreSQL's protocol. The root is the host authority, not the database
 * authority: libpq connects to the Proxy, whose PostgreSQL listener presents a certificate of the host authority. Only
 * Teleport's agent connects to the database itself.
 */
function postgresVariables(outputs: RunResult['outputs']): ReadonlyMap<VariableName, string> {
  for (const { access, destination, files } of outputs) {
    if (access?.kind !== 'database' || !isPostgres(access.protocol) || !files.includes('tlscert')) continue;
    return new Map<VariableName, string>([
      ['PGSSLCERT', join(destination, 'tlscert')],
      ['PGSSLKEY', join(destination, 'key')],
      ['PGSSLROOTCERT', join(destination, 'teleport-host-ca.crt')],
      ...(access.user === undefined ? [] : [['PGUSER', access.user] as const]),
      ...(access.database === undefined ? [] : [['PGDATABASE', access.database] as const]),
    ]);
  }
  return new Map();
}
