/** Sessions with applications, which a certificate needs to access one. */
import { randomBytes } from 'node:crypto';
import { accessDenied, notFound } from './teleport-errors.ts';
import { mayReach, type World } from '../world.ts';

export interface AppSession {
  readonly sessionId: string;
  readonly userName: string;
  readonly publicAddress: string;
  readonly expires: Date;
}

/** The user and the expiry of a session. */
export interface SessionHolder {
  readonly userName: string;
  readonly roles: readonly string[];
  readonly expires: Date;
}

export class AppSessions {
  readonly #sessions = new Map<string, AppSession>();

  /** The roles of the user, which must allow the application. */
  create(world: World, publicAddress: string, { userName, roles, expires }: SessionHolder): AppSession {
    const application = world.resources.applications.find((one) => one.publicAddress === publicAddress);
    if (application === undefined) {
      throw notFound(`app with public address "${publicAddress}" not found`);
    }
    if (!mayReach(world, roles, 'application', application.labels)) {
      throw accessDenied('access to app denied');
    }
    const session = { sessionId: randomBytes(32).toString('hex'), userName, publicAddress, expires };
    this.#sessions.set(session.sessionId, session);
    return session;
  }

  /** Undefined also for an expired one. */
  find(sessionId: string): AppSession | undefined {
    const session = this.#sessions.get(sessionId);
    return session !== undefined && session.expires.getTime() > Date.now() ? session : undefined;
  }

  /** As when an administrator ends sessions early. */
  endAll(): void {
    this.#sessions.clear();
  }
}
