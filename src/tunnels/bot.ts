/** The bot behind the tunnels: one identity and one session for all of them, each replaced when it has to be. */
import type { ClusterSession } from '../auth/session.ts';
import { generateKeyPair, type KeyPair } from '../crypto/keys.ts';
import type { Log } from '../effects/log.ts';
import type { Clock } from '../effects/time.ts';
import { asMachineIdError } from '../errors.ts';
import type { Joined } from '../join/join.ts';
import type { IdentityWork, OutputKeys } from '../outputs/work.ts';
import { keyAlgorithm } from '../teleport/suite.ts';

/** A session with the Auth Service, and new keys. */
export interface BotSession extends IdentityWork {
  readonly keys: Pick<OutputKeys, 'unrouted'>;
  /** A new key for a certificate; databases need RSA, whatever the cluster prefers. */
  readonly newKey: (kind: 'suite' | 'rsa-2048') => Promise<KeyPair>;
}

export interface Bot {
  /**
   * Calls `use` with a session, which is closed when nothing uses it any more. Joins again first if half of the
   * lifetime of the bot's own identity is over.
   * @throws MachineIdError as joining, connecting and `use` do
   */
  withSession<T>(use: (session: BotSession) => Promise<T>): Promise<T>;
  readonly expiresAtMs: () => number;
}

interface BotOptions {
  readonly joined: Joined;
  /** With a new OIDC token. */
  readonly join: () => Promise<Joined>;
  readonly openSession: (joined: Joined) => Promise<ClusterSession>;
  readonly clock: Clock;
  readonly log: Pick<Log, 'warn'>;
}

/**
 * Certificates are renewed after two thirds of their lifetime. One that is issued with an older identity might not live longer
 * than that.
 */
const FRESH_PART = 0.5;

export function openBot(options: BotOptions): Bot {
  const { clock, log, openSession } = options;
  let { joined } = options;
  let joinedMs = clock.nowMs();
  let joining: Promise<Joined> | undefined;
  let shared: { readonly session: Promise<ClusterSession>; readonly joined: Joined; users: number } | undefined;

  const isFresh = () => {
    const lifetimeMs = joined.bot.expiresAtMs - joinedMs;
    return joined.bot.expiresAtMs - clock.nowMs() > lifetimeMs * FRESH_PART;
  };
  const joinAgain = async () => {
    try {
      joined = await options.join();
      joinedMs = clock.nowMs();
    } catch (error) {
      if (joined.bot.expiresAtMs <= clock.nowMs()) throw error;
      log.warn(`the bot cannot join again: ${asMachineIdError(error).message}; its identity is still valid`);
    } finally {
      joining = undefined;
    }
    return joined;
  };
  const current = async () => (isFresh() ? joined : (joining ??= joinAgain()));

  return {
    expiresAtMs: () => joined.bot.expiresAtMs,
    withSession: async (use) => {
      const as = await current();
      if (shared?.joined !== as) shared = { session: openSession(as), joined: as, users: 0 };
      const mine = shared;
      mine.users += 1;
      try {
        const session = await mine.session;
        return await use(sessionOf(as, session, clock));
      } finally {
        mine.users -= 1;
        if (mine.users === 0) {
          if (shared === mine) shared = undefined;
          mine.session.then(
            (session) => {
              session.close();
            },
            () => undefined, // nothing was opened
          );
        }
      }
    },
  };
}

function sessionOf(joined: Joined, session: ClusterSession, clock: Clock): BotSession {
  const algorithm = keyAlgorithm(joined.cluster.suite);
  const newKey = (kind: 'suite' | 'rsa-2048') => generateKeyPair(kind === 'suite' ? algorithm : kind);
  const unrouted = newKey('suite');
  unrouted.catch(() => undefined); // awaited where it is used
  return { run: { world: { clock } }, joined, session, keys: { unrouted }, newKey };
}

/** PEM of the host authorities of the cluster that was joined. */
export async function hostAuthoritiesOf({ joined, session }: BotSession): Promise<readonly string[]> {
  const { host } = await session.authorities;
  return host
    .filter(({ clusterName }) => clusterName === joined.bot.clusterName)
    .flatMap(({ tlsCertificatesPem }) => tlsCertificatesPem);
}
