/** Refuses a plan that asks for a scoped bot. */
import { type Fault, MachineIdError } from '../errors.ts';
import { isScopeQualified, SCOPES_HINT } from '../teleport/scopes.ts';
import type { Plan } from './plan.ts';
import { nameOf, type Origin, type Setting } from './settings.ts';

/** What of the settings asks for a scoped bot; none when nothing does. */
export function scopeRequests(
  scoped: Setting<boolean> | undefined,
  token: { readonly name: string; readonly origin: Origin } | undefined,
): readonly Fault[] {
  return [
    ...(scoped?.value === true ? [request(scoped.origin, 'asks for a scoped bot')] : []),
    ...(token !== undefined && isScopeQualified(token.name)
      ? [request(token.origin, `${JSON.stringify(token.name)} is the name of a scoped join token (<scope>::<name>)`)]
      : []),
  ];
}

/** @throws MachineIdError SCOPES_UNSUPPORTED */
export function refuseScopes({ scopeRequests: faults }: Pick<Plan, 'scopeRequests'>): void {
  if (faults.length === 0) return;
  const [first = '', ...others] = faults.map(({ message }) => message);
  throw new MachineIdError('SCOPES_UNSUPPORTED', first, {
    lines: [...others, 'scoped bots and join tokens are not supported'],
    hint: SCOPES_HINT,
    faults,
  });
}

function request(origin: Origin, what: string): Fault {
  const { line, path } = origin;
  return { path, ...(line === undefined ? {} : { line }), message: `${nameOf(origin)} ${what}` };
}
