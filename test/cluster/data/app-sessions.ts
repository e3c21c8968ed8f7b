/** Sessions with applications, without which no certificate opens one. */
import { randomBytes } from 'node:crypto';
import { accessDenied, notFound } from './teleport-errors.ts';
import { mayReach, type World } from '../world.ts';

export interface AppSession {
  readonly sessionId: string;
  readonly userName: string;
  readonly publicAddress: string;
  readonly expires: Date;
}

/** For whom a session is, and for how long. */
export interface SessionHolder {
  readonly userName: string;
  readonly roles: readonly string[];
  readonly expires: Date;
}

export class AppSessions {
  readonly #sessions = new Map<string, AppSession>();

  /** The roles of the user, which must give access to the application. */
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

  /** Undefined for one that has expired, too. */
  find(sessionId: string): AppSession | undefined {
    const session = this.#sessions.get(sessionId);
    return session !== undefined && session.expires.getTime() > Date.now() ? session : undefined;
  }

  /** As when an administrator ends sessions before their time. */
  endAll(): void {
    this.#sessions.clear();
  }
}
