/** Lets an output work at the Auth Service with its own roles, so that they decide what it may see and have. */
import type { IssuedIdentity } from '../certs/issue.ts';
import type { SupportedOutput } from '../config/supported.ts';
import type { AuthSession } from './cluster-session.ts';
import { askForIdentity, type OutputWork } from './work.ts';

export interface OwnSession extends AuthSession {
  readonly issued: IssuedIdentity;
}

/** The identity is not routed anywhere; the connection lasts as long as `use` does. */
export async function withOwnSession<T>(
  output: SupportedOutput,
  work: OutputWork,
  use: (session: OwnSession) => Promise<T>,
): Promise<T> {
  const issued = await askForIdentity(output, work, { keyPair: await work.keys.unrouted, route: undefined });
  const session = await work.session.as(issued.identity);
  try {
    return await use({ ...session, issued });
  } finally {
    session.close();
  }
}
