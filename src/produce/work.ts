/** The steps that the outputs have in common: certificates for the output's roles, files into the output's place. */
import type { CertAuthority } from '../certs/authorities.ts';
import type { Identity } from '../certs/identity.ts';
import { type IdentityRequest, type IssuedIdentity, issueIdentity } from '../certs/issue.ts';
import type { SupportedOutput } from '../config/supported.ts';
import type { KeyPair } from '../crypto/keys.ts';
import { counted } from '../errors.ts';
import type { Joined } from '../join/join.ts';
import type { OutputFile } from '../outputs/output-file.ts';
import type { ClusterSession } from './cluster-session.ts';
import type { RunContext } from './context.ts';
import { type Place, write } from './place.ts';
import type { WrittenOutput } from './result.ts';

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

/** What an output wants beyond its roles and its lifetime. */
export type IdentityWish = Pick<IdentityRequest, 'route'> & {
  readonly keyPair: KeyPair;
  /** The cluster that was joined, unless a leaf is wanted. */
  readonly routeToCluster?: string;
  readonly allowReissue?: boolean;
};

/** Asks as the bot, for the output's roles or else all that the bot may impersonate. */
export async function askForIdentity(
  output: SupportedOutput,
  { run, joined, session }: OutputWork,
  { keyPair, route, routeToCluster, allowReissue = false }: IdentityWish,
): Promise<IssuedIdentity> {
  const { bot } = joined;
  const [roles, serverVersion] = await Promise.all([
    output.roles.length > 0 ? output.roles : session.defaultRoles(),
    session.serverVersion,
  ]);
  const request: IdentityRequest = {
    keyPair,
    userName: bot.userName,
    clusterName: bot.clusterName,
    routeToCluster: routeToCluster ?? bot.clusterName,
    route,
    roles,
    ttlMs: output.ttlMs,
    allowReissue,
    serverVersion,
  };
  return issueIdentity(session.api, request, { userAuthorities: userAuthorities(session), clock: run.world.clock });
}

function userAuthorities({ authorities }: ClusterSession): Promise<readonly CertAuthority[]> {
  const user = authorities.then((all) => all.user);
  user.catch(() => undefined); // awaited while issuing, unless the call itself fails first
  return user;
}

/** What is reported about the credentials of an output. */
export interface Issued {
  readonly identity: Pick<Identity, 'roles' | 'expiresAtMs'>;
  readonly notices: readonly string[];
}

export interface Finished {
  readonly issued: Issued;
  readonly place: Place;
  readonly files: readonly OutputFile[];
  readonly access?: WrittenOutput['access'];
  readonly logins?: WrittenOutput['logins'];
  readonly kubeconfig?: WrittenOutput['kubeconfig'];
}

/** Writes the files and returns what the summary shows. */
export async function finishOutput(
  { path, type }: SupportedOutput,
  { run }: OutputWork,
  { issued, place, files, access, logins, kubeconfig }: Finished,
): Promise<WrittenOutput> {
  const { identity, notices } = issued;
  const written = await write(run, place, files);
  run.progress.done('write', `${path}: ${counted(written.files.length, 'file')} written to ${place.shown}`);
  return {
    path,
    type,
    destination: place.shown,
    files: written.files,
    roles: identity.roles,
    logins,
    kubeconfig,
    expiresAtMs: identity.expiresAtMs,
    access,
    notices: [...notices, ...written.warnings],
  };
}
