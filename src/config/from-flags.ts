/** Reads the command line's flags into settings. */
import { join } from 'node:path';
import { DEFAULT_CONTEXT_TEMPLATE } from '../outputs/context-name.ts';
import { refuseWildcard } from '../schema/common.ts';
import { type Destination, plainDirectory } from '../schema/destination.ts';
import { unexpandedPath, unexpandedValue } from '../schema/unexpanded.ts';
import { durationAdvice, parseDuration, refuseCaPin } from '../schema/values.ts';
import type { PlacedItem } from './items.ts';
import { readJoinUri } from './join-token.ts';
import { type Findings, named, type Setting, setting, type Settings } from './settings.ts';

/** Two layers: what the flags say one by one, and below it what `--join-uri` says. */
export function readFlags(flags: RunFlags, findings: Findings): readonly Settings[] {
  const own: Settings = {
    proxyServer: text(flags.proxyServer, '--proxy-server'),
    authServer: text(flags.authServer, '--auth-server'),
    token: text(flags.token, '--token'),
    joinMethod: text(flags.joinMethod, '--join-method'),
    caPins: readCaPins(flags.caPins, findings),
    caPath: refuseBy(unexpandedPath, text(flags.caPath, '--ca-path'), findings),
    insecure: setting(flags.insecure, named('--insecure')),
    fips: setting(flags.fips, named('--fips')),
    scoped: setting(flags.scoped, named('--scoped')),
    storage: readDestination(flags.storage, '--storage', findings),
    items: readFlagOutputs(flags, readDestination(flags.destination, '--destination', findings), findings),
    ttlMs: readTtl(flags, findings),
    renewalIntervalMs: readDuration(flags.renewalInterval, '--renewal-interval', findings),
    oneshot: setting(flags.oneshot, named('--oneshot')),
    debug: setting(flags.debug, named('--debug')),
    logFormat: readLogFormat(flags.logFormat, findings),
    diagAddr: refuseBy(unexpandedValue, text(flags.diagAddr, '--diag-addr'), findings),
  };
  return [own, readJoinUri(given(flags.joinUri), named('--join-uri'), findings)];
}

function text(value: string | undefined, name: string): Setting<string> | undefined {
  return setting(given(value), named(name));
}

function refuseBy(
  rule: (value: string) => string | undefined,
  given: Setting<string> | undefined,
  findings: Findings,
): Setting<string> | undefined {
  const refusal = given === undefined ? undefined : rule(given.value);
  if (given !== undefined && refusal !== undefined) findings.addProblem(given.origin, refusal);
  return given;
}

function readCaPins(pins: readonly string[] | undefined, findings: Findings): Setting<readonly string[]> | undefined {
  const found = (pins ?? []).filter((pin) => pin !== '');
  if (found.length === 0) return undefined;
  for (const pin of found) {
    const refusal = refuseCaPin(pin);
    if (refusal !== undefined) findings.addProblem(named('--ca-pin'), refusal);
  }
  return { value: found.map((pin) => pin.toLowerCase()), origin: named('--ca-pin') };
}

function readDestination(
  value: string | undefined,
  name: string,
  findings: Findings,
): Setting<Destination> | undefined {
  if (value === undefined || value === '') return undefined;
  const destination = readDestinationUri(value);
  if (typeof destination !== 'string') return { value: destination, origin: named(name) };
  findings.addProblem(named(name), destination);
  return undefined;
}

function readTtl(flags: RunFlags, findings: Findings): Setting<number> | undefined {
  const credential = readDuration(flags.credentialTtl, '--credential-ttl', findings);
  const certificate = readDuration(flags.certificateTtl, '--certificate-ttl', findings);
  if (credential !== undefined && certificate !== undefined && credential.value !== certificate.value) {
    findings.warn('--credential-ttl wins over --certificate-ttl; they are two names of one setting');
  }
  return credential ?? certificate;
}

/** Zero means the default, as in the file. */
function readDuration(value: string | undefined, name: string, findings: Findings): Setting<number> | undefined {
  if (value === undefined || value === '') return undefined;
  const durationMs = parseDuration(value);
  if (durationMs === undefined) {
    const kind = `"${value}" is not a duration; ${durationAdvice(value)}`;
    findings.addProblem(named(name), unexpandedValue(value) ?? kind);
  }
  return setting(durationMs === 0 ? undefined : durationMs, named(name));
}

function readLogFormat(value: string | undefined, findings: Findings): Setting<'text' | 'json'> | undefined {
  if (value === undefined || value === '') return undefined;
  if (value === 'text' || value === 'json') return { value, origin: named('--log-format') };
  findings.addProblem(named('--log-format'), `"${value}" is not a log format; it is one of text, json`);
  return undefined;
}

// What `run` was given on its command line, as strings and switches not yet checked.

/** An absent flag, an empty one and `undefined` mean the same: not given. */
export interface RunFlags {
  /** `-c`, `--config`: path of the configuration file. */
  readonly config?: string | undefined;
  /** `--config-string`: the whole configuration file in base64. */
  readonly configString?: string | undefined;
  readonly proxyServer?: string | undefined;
  readonly authServer?: string | undefined;
  readonly joinUri?: string | undefined;
  readonly token?: string | undefined;
  readonly joinMethod?: string | undefined;
  /** `--destination`, `--destination-dir`: a directory, or a URI of another destination. */
  readonly destination?: string | undefined;
  /** A Kubernetes cluster, database or application to write an output for, in a folder of its own below `destination`. */
  readonly kubernetesCluster?: string | undefined;
  readonly database?: string | undefined;
  readonly databaseUser?: string | undefined;
  readonly databaseName?: string | undefined;
  readonly application?: string | undefined;
  /** An identity output beside those. */
  readonly ssh?: boolean | undefined;
  /** `--storage`, `--data-dir`. */
  readonly storage?: string | undefined;
  readonly certificateTtl?: string | undefined;
  readonly credentialTtl?: string | undefined;
  readonly renewalInterval?: string | undefined;
  /** `--ca-pin`, once for each pin. */
  readonly caPins?: readonly string[] | undefined;
  readonly caPath?: string | undefined;
  readonly diagAddr?: string | undefined;
  readonly logFormat?: string | undefined;
  readonly insecure?: boolean | undefined;
  readonly debug?: boolean | undefined;
  readonly fips?: boolean | undefined;
  readonly scoped?: boolean | undefined;
  readonly oneshot?: boolean | undefined;
}

// The outputs that the command line asks for, in place of those of a file.

/**
 * `--kubernetes-cluster`, `--database` and `--application` each stand for one output with every role of the bot, in a
 * folder of their own below the destination. An identity output goes into the destination itself: when `--ssh` asks for
 * it, and when nothing else is asked for.
 */
function readFlagOutputs(
  flags: RunFlags,
  destination: Setting<Destination> | undefined,
  findings: Findings,
): Setting<readonly PlacedItem[]> | undefined {
  refuseLoneDatabaseFlags(flags, findings);
  refuseNames(flags, findings);
  const asked = askedFor(flags);
  if (destination === undefined) {
    if (asked !== undefined && !findings.hasProblemAt('--destination')) {
      findings.addProblem(named('--destination'), `${asked} needs --destination DIR, the folder to write to`);
    }
    return undefined;
  }
  const { value, origin } = destination;
  const routed = [
    ...kubernetesOutput(flags, value),
    ...databaseOutput(flags, value),
    ...applicationOutput(flags, value),
  ];
  const withIdentity = flags.ssh === true || routed.length === 0;
  return { value: [...(withIdentity ? [identityOutput(flags, value)] : []), ...routed], origin };
}

/** The flag that asks for an output, if one does. */
function askedFor({ kubernetesCluster, database, application, ssh }: RunFlags): string | undefined {
  if (kubernetesCluster) return '--kubernetes-cluster';
  if (database) return '--database';
  if (application) return '--application';
  return ssh === true ? '--ssh' : undefined;
}

function refuseLoneDatabaseFlags({ database, databaseUser, databaseName }: RunFlags, findings: Findings): void {
  if (database) return;
  for (const [name, value] of [
    ['--database-user', databaseUser],
    ['--database-name', databaseName],
  ] as const) {
    if (value) findings.addProblem(named(name), 'needs --database NAME, the database as Teleport knows it');
  }
}

function refuseNames(flags: RunFlags, findings: Findings): void {
  for (const [name, value = '', isResource = true] of [
    ['--kubernetes-cluster', flags.kubernetesCluster],
    ['--database', flags.database],
    ['--application', flags.application],
    ['--database-user', flags.databaseUser, false],
    ['--database-name', flags.databaseName, false],
  ] as const) {
    const refusal = unexpandedValue(value) ?? (isResource ? refuseWildcard(value) : undefined);
    if (refusal !== undefined) findings.addProblem(named(name), refusal);
  }
}

const COMMON = { name: undefined, roles: [], lifetime: undefined, line: undefined } as const;

function identityOutput({ ssh }: RunFlags, destination: Destination): PlacedItem {
  return {
    ...COMMON,
    type: 'identity',
    destination,
    cluster: undefined,
    sshConfig: true,
    allowReissue: false,
    delegationSessionId: undefined,
    path: ssh === true ? '--ssh' : '--destination',
  };
}

function kubernetesOutput({ kubernetesCluster }: RunFlags, destination: Destination): readonly PlacedItem[] {
  if (!kubernetesCluster) return [];
  return [
    {
      ...COMMON,
      type: 'kubernetes',
      destination: below(destination, 'kubernetes'),
      kubernetesCluster,
      execPlugin: false,
      contextNameTemplate: DEFAULT_CONTEXT_TEMPLATE,
      relayServer: undefined,
      path: '--kubernetes-cluster',
    },
  ];
}

function databaseOutput(
  { database, databaseUser, databaseName }: RunFlags,
  destination: Destination,
): readonly PlacedItem[] {
  if (!database) return [];
  return [
    {
      ...COMMON,
      type: 'database',
      destination: below(destination, 'database'),
      service: database,
      database: given(databaseName),
      username: given(databaseUser),
      format: 'default',
      path: '--database',
    },
  ];
}

function applicationOutput({ application }: RunFlags, destination: Destination): readonly PlacedItem[] {
  if (!application) return [];
  return [
    {
      ...COMMON,
      type: 'application',
      destination: below(destination, 'application'),
      appName: application,
      specificTlsNaming: false,
      path: '--application',
    },
  ];
}

/** Each output has files of the same names, so each needs a folder. */
function below(destination: Destination, folder: string): Destination {
  return destination.type === 'directory' ? { ...destination, path: join(destination.path, folder) } : destination;
}

/** An empty flag is one that was not given. */
function given(value: string | undefined): string | undefined {
  return value === '' ? undefined : value;
}

// Destinations as the command line names them: a directory, or a URI.

/** Reads `DIR`, `file:…`, `memory:` or `kubernetes-secret://<namespace>/<name>`; a string is what is wrong. */
export function readDestinationUri(text: string): Destination | string {
  const unexpanded = unexpandedPath(text);
  if (unexpanded !== undefined) return unexpanded;
  const [, scheme, host, path] = /^([a-z][a-z0-9+.-]*):(?:\/\/([^/]*))?(.*)$/is.exec(text) ?? [];
  switch (scheme?.toLowerCase()) {
    case undefined:
      return plainDirectory(text);
    case 'file':
      return fileDestination(host ?? '', path ?? '');
    case 'memory':
      if (host || path) return 'memory-backed data storage should not have host or path specified';
      return { type: 'memory' };
    case 'kubernetes-secret':
      return secretDestination(host ?? '', path ?? '');
    default:
      return 'unrecognized data storage scheme; give a directory, file:, memory: or kubernetes-secret:';
  }
}

function fileDestination(host: string, path: string): Destination | string {
  if (host !== '' && host !== 'localhost') return 'file-backed data storage must be on the local host';
  if (path === '') return 'destination path must not be empty';
  const decoded = decode(path);
  return decoded === undefined ? `"${path}" has a "%" that begins no escape; write it as %25` : directoryAt(decoded);
}

function decode(path: string): string | undefined {
  try {
    return decodeURIComponent(path);
  } catch {
    return undefined;
  }
}

/** What was hidden by escapes is no less meant for a shell. */
function directoryAt(path: string): Destination | string {
  return unexpandedPath(path) ?? plainDirectory(path);
}

function secretDestination(host: string, path: string): Destination | string {
  const name = path.replace(/^\//, '');
  if (name === '' || name.includes('/')) return 'must have the form kubernetes-secret://<namespace>/<name>';
  return { type: 'kubernetes_secret', name, namespace: host === '' ? undefined : host, labels: {} };
}
