/** The caller of an Auth method. */
import type { Call } from './grpc.ts';
import type { Identity } from '../data/identity.ts';
import { accessDenied } from '../data/teleport-errors.ts';
import { findRole, type World } from '../world.ts';
import type { Role } from '../data/data.ts';

export function callerOf({ connection: { identity } }: Call): Identity {
  if (identity === undefined) {
    throw accessDenied('access denied');
  }
  return identity;
}

/** The current definitions of the caller's roles. */
export function rolesOfCaller(world: World, call: Call): readonly Role[] {
  return callerOf(call).roles.flatMap((name) => findRole(world, name) ?? []);
}
