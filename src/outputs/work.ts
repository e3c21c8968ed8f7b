/** The steps that the outputs have in common: certificates for the output's roles, files into the output's place. */
import { resolve } from 'node:path';
import type { CertAuthority, IdentityRequest } from '../auth/auth-api.ts';
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
import type { WireTrace } from '../net/trace.ts';
import type { DirectoryDestination, MemoryDestination } from '../schema/destination.ts';
import { isListed } from './identity-files.ts';
import type { Journal, RunPlan } from './journal.ts';
import type { WrittenOutput } from './result.ts';
import type { AnyOutput } from './output.ts';

export interface OutputWork {
  readonly run: RunContext;
  readonly joined: Joined;
  readonly session: ClusterSession;
  readonly keys: OutputKeys;
}

/** Each identity has its own key. They may still be in the making. */
export interface OutputKeys {
  /** For the identity that is not routed to a resource. */
  readonly unrouted: Promise<KeyPair>;
  /** For the identity that is routed to the output's resource; the same key where there is no such identity. */
  readonly routed: Promise<KeyPair>;
}

/** What an output wants beyond its roles and its lifetime. Unless given, the cluster is the one that was joined. */
type IdentityOptions = Pick<IdentityRequest, 'keyPair' | 'route'> &
  Partial<Pick<IdentityRequest, 'routeToCluster' | 'allowReissue'>>;

/** Asks as the bot, for the output's roles or else all that the bot may impersonate. */
export async function requestIdentity(
  output: AnyOutput,
  { run, joined, session }: OutputWork,
  options: IdentityOptions,
): Promise<IssuedIdentity> {
  const { clusterName, userName } = joined.bot;
  const { clock } = run.world;
  const [roles, serverVersion] = await Promise.all([
    output.roles.length > 0 ? output.roles : session.defaultRoles(),
    session.serverVersion,
  ]);
  const expiresAtMs = clock.nowMs() + output.ttlMs;
  const base = { userName, clusterName, routeToCluster: clusterName, allowReissue: false };
  const request = { ...base, roles, expiresAtMs, serverVersion, ...options };
  return issueIdentity(session.api, request, { userAuthorities: userAuthorities(session), clock });
}

function userAuthorities({ authorities }: ClusterSession): Promise<readonly CertAuthority[]> {
  const user = authorities.then((all) => all.user);
  user.catch(() => undefined); // awaited while issuing, unless the call itself fails first
  return user;
}

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

// What every step of a run works with.

export interface RunContext {
  readonly world: World;
  readonly journal: Journal;
  readonly plan: RunPlan;
  readonly outputs: readonly AnyOutput[];
  readonly network: Network;
  readonly retries: Retries;
  /** With `debug` alone. */
  readonly trace?: WireTrace | undefined;
  /** Everything that is written is recorded here first. */
  readonly record: WriteRecord;
}

// Lets an output work at the Auth Service with its own roles, so that they decide what it may see and have.

interface OwnSession extends AuthSession {
  readonly issued: IssuedIdentity;
}

/** The identity is not routed anywhere; the connection lasts as long as `use` does. */
export async function withOwnSession<T>(
  output: AnyOutput,
  work: OutputWork,
  use: (session: OwnSession) => Promise<T>,
): Promise<T> {
  const issued = await requestIdentity(output, work, { keyPair: await work.keys.unrouted, route: undefined });
  const session = await work.session.openAs(issued.identity);
  try {
    return await use({ ...session, issued });
  } finally {
    session.close();
  }
}

// Where the files of one output go.

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

interface Written {
  readonly files: readonly string[];
  /** Sentences for a person to read. */
  readonly warnings: readonly string[];
}

/** Writes them all; those that only prove something are not returned. */
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
