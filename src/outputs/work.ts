/** The steps that all outputs share: prepare the destination, request certificates for the output's roles, write the files. */
import { resolve } from 'node:path';
import { type CertAuthority, FIRST_MAJOR_WITH_SEPARATE_KEYS, type IdentityRequest } from '../auth/auth-api.ts';
import { type Identity, type IssuedIdentity, issueIdentity } from '../auth/issue.ts';
import type { AuthSession, ClusterSession } from '../auth/session.ts';
import type { KeyPair } from '../crypto/keys.ts';
import type { Retries } from '../effects/retry.ts';
import type { World } from '../effects/world.ts';
import { pluralize } from '../errors.ts';
import type { OutputFile } from '../files/destination.ts';
import { prepareDirectory } from '../files/prepare.ts';
import { writeDirectory } from '../files/write.ts';
import type { WriteRecord } from '../job/manifest.ts';
import type { Joined } from '../join/join.ts';
import type { Network } from '../net/network.ts';
import type { Upgrades } from '../teleport/connection-upgrade.ts';
import type { ServerVersion } from '../teleport/ping.ts';
import type { WireTrace } from '../net/trace.ts';
import type { DirectoryDestination, MemoryDestination } from '../schema/destination.ts';
import { isListed } from './identity-files.ts';
import type { Journal, RunPlan } from './journal.ts';
import type { WrittenOutput } from './result.ts';
import type { AnyOutput } from './output.ts';

export interface OutputWork extends IdentityWork {
  readonly run: RunContext;
  readonly keys: OutputKeys;
  readonly lookups: Lookups;
}

/** Sessions in which outputs with the same roles and lifetime look up their resources, by these. */
export type Lookups = Map<string, SharedSession>;

interface SharedSession {
  readonly opened: Promise<OwnSession>;
  users: number;
}

/** Equal for outputs that share a session, and so the key of its identity. */
export function lookupKey({ roles, ttlMs }: Requested): string {
  return JSON.stringify([[...roles].sort(), ttlMs]);
}

/** What requesting an identity needs. */
export interface IdentityWork {
  readonly run: { readonly world: Pick<World, 'clock'> };
  readonly joined: Joined;
  readonly session: ClusterSession;
}

/** Each identity has its own key, which may not be generated yet. */
export interface OutputKeys {
  /** For the identity that is not routed to a resource. */
  readonly unrouted: Promise<KeyPair>;
  /** For the identity that is routed to the output's resource; the same key if there is no such identity. */
  readonly routed: Promise<KeyPair>;
}

/** What all steps of a run share. */
export interface RunContext {
  readonly world: World;
  readonly journal: Journal;
  readonly plan: RunPlan;
  readonly outputs: readonly AnyOutput[];
  readonly network: Network;
  readonly upgrades: Upgrades;
  /** The file of `--ca-file`, absolute. */
  readonly caFile: string | undefined;
  readonly retries: Retries;
  /** Only with `debug`. */
  readonly trace?: WireTrace | undefined;
  /** Everything that is written is recorded here first. */
  readonly record: WriteRecord;
}

// The destination of an output.

export interface OutputLocation {
  /** For the summary: the absolute path, or `memory`. */
  readonly displayPath: string;
  /** Absolute path; undefined when nothing is written to disk. */
  readonly directory: string | undefined;
  readonly settings: DirectoryDestination | undefined;
}

export function outputLocation(
  destination: DirectoryDestination | MemoryDestination,
  { world }: Pick<RunContext, 'world'>,
): OutputLocation {
  switch (destination.type) {
    case 'directory': {
      const directory = resolve(world.workingDirectory, destination.path);
      return { displayPath: directory, directory, settings: destination };
    }
    case 'memory':
      return { displayPath: 'memory', directory: undefined, settings: undefined };
    default:
      return destination satisfies never;
  }
}

/** Runs before the join: if a destination cannot be written, the run ends before anything is contacted. */
export async function prepareOutput(
  destination: DirectoryDestination | MemoryDestination,
  { world, journal, record }: RunContext,
): Promise<void> {
  if (destination.type !== 'directory') return;
  const { warnings } = await prepareDirectory(world.files, destination, world.workingDirectory, record);
  for (const warning of warnings) journal.warn(warning);
}

// The certificates of an output.

/** What an output requests in addition to its roles and its lifetime. By default, the cluster is the one that was joined. */
type IdentityOptions = Pick<IdentityRequest, 'keyPair' | 'route'> &
  Partial<Pick<IdentityRequest, 'routeToCluster' | 'allowReissue'>>;

/** The roles and the lifetime of an identity. */
type Requested = Pick<AnyOutput, 'roles' | 'ttlMs'>;

/** Requests an identity as the bot: with the output's roles, otherwise with all that the bot may impersonate. */
export async function requestIdentity(
  output: Requested,
  { run, joined, session }: IdentityWork,
  options: IdentityOptions,
): Promise<IssuedIdentity> {
  const { clusterName, userName } = joined.bot;
  const { clock } = run.world;
  const [roles, serverVersion] =
    output.roles.length > 0
      ? [output.roles, await versionForRequest(joined.cluster, session)]
      : await Promise.all([session.defaultRoles(), session.serverVersion]);
  const expiresAtMs = clock.nowMs() + output.ttlMs;
  const base = { userName, clusterName, routeToCluster: clusterName, allowReissue: false };
  const request = { ...base, roles, expiresAtMs, serverVersion, ...options };
  return issueIdentity(session.api, request, { userAuthorities: userAuthorities(session), clock });
}

/** A Proxy is never newer than its Auth Service, so that its version often suffices, and is known without a round trip. */
function versionForRequest(
  { serverVersion }: Joined['cluster'],
  session: ClusterSession,
): Promise<ServerVersion> | ServerVersion {
  return serverVersion.major >= FIRST_MAJOR_WITH_SEPARATE_KEYS ? serverVersion : session.serverVersion;
}

function userAuthorities({ authorities }: ClusterSession): Promise<readonly CertAuthority[]> {
  const user = authorities.then((all) => all.user);
  user.catch(() => undefined); // awaited while issuing, unless the call itself fails first
  return user;
}

interface OwnSession extends AuthSession {
  readonly issued: IssuedIdentity;
}

/**
 * Calls `use` with a session whose rights are those of the output's own roles. The identity is not routed to a resource, and
 * the session is closed when `use` ends.
 */
export async function withOwnSession<T>(
  output: Requested,
  work: IdentityWork & { readonly keys: Pick<OutputKeys, 'unrouted'> },
  use: (session: OwnSession) => Promise<T>,
): Promise<T> {
  const session = await openOwnSession(output, work);
  try {
    return await use(session);
  } finally {
    session.close();
  }
}

async function openOwnSession(
  output: Requested,
  work: IdentityWork & { readonly keys: Pick<OutputKeys, 'unrouted'> },
): Promise<OwnSession> {
  const keyPair = await work.keys.unrouted;
  // A round trip less, as its certificates are on their way meanwhile.
  const closeUnused = work.session.beginConnection();
  try {
    const issued = await requestIdentity(output, work, { keyPair, route: undefined });
    return { ...(await work.session.openAs(issued.identity)), issued };
  } finally {
    closeUnused();
  }
}

/**
 * The same for an output that only looks something up, and requests its own identity afterwards: outputs with the same roles
 * share the session, which saves each of them a certificate, a connection and a handshake.
 */
export async function withLookupSession<T>(
  output: Requested,
  work: OutputWork,
  use: (session: AuthSession) => Promise<T>,
): Promise<T> {
  const key = lookupKey(output);
  const shared = work.lookups.get(key) ?? { opened: openOwnSession(output, work), users: 0 };
  work.lookups.set(key, shared);
  shared.users += 1;
  try {
    return await use(await shared.opened);
  } finally {
    shared.users -= 1;
    if (shared.users === 0) {
      work.lookups.delete(key);
      shared.opened.then(
        (session) => {
          session.close();
        },
        () => undefined, // nothing was opened
      );
    }
  }
}

// The files of an output.

/** What is reported about the credentials of an output. */
interface Issued {
  readonly identity: Pick<Identity, 'roles' | 'expiresAtMs'>;
  readonly notices: readonly string[];
}

interface FinishedOutput {
  readonly issued: Issued;
  readonly location: OutputLocation;
  readonly files: readonly OutputFile[];
  readonly access?: WrittenOutput['access'];
  readonly logins?: WrittenOutput['logins'];
  readonly kubeconfig?: WrittenOutput['kubeconfig'];
}

/** Writes the files and returns what the summary shows. */
export async function finishOutput(
  { path, type }: AnyOutput,
  { run }: OutputWork,
  { issued, location, files, access, logins, kubeconfig }: FinishedOutput,
): Promise<WrittenOutput> {
  const { identity, notices } = issued;
  const written = await writeOutput(run, location, files);
  run.journal.outputDone(
    'write',
    `${path}: ${pluralize(written.files.length, 'file')} written to ${location.displayPath}`,
  );
  return {
    path,
    type,
    destination: location.displayPath,
    files: written.files,
    roles: identity.roles,
    logins,
    kubeconfig,
    expiresAtMs: identity.expiresAtMs,
    access,
    notices: [...notices, ...written.warnings],
  };
}

interface Written {
  readonly files: readonly string[];
  /** Sentences for a person to read. */
  readonly warnings: readonly string[];
}

/** Writes all files; returns those that the summary lists. */
async function writeOutput(
  { world: { files: system, commands, signal }, record }: RunContext,
  { directory, settings }: OutputLocation,
  files: readonly OutputFile[],
): Promise<Written> {
  signal.throwIfAborted();
  if (directory === undefined || settings === undefined) return { files: [], warnings: [] };
  const warnings = await writeDirectory({ files: system, commands, record, signal }, settings, directory, files);
  return { files: files.map(({ name }) => name).filter(isListed), warnings };
}
