/** The variables by which later steps find tunnels. */
import type { TunnelReport } from '../../tunnels/status.ts';

interface Exported {
  readonly variables: ReadonlyMap<string, string>;
  /** A sentence for each variable that only one of several tunnels can have. */
  readonly warnings: readonly string[];
}

/**
 * The address of each tunnel and, on request, the variables that client programs read. Of several tunnels with the same variable,
 * the first has it.
 */
export function exportedByTunnels(
  tunnels: readonly Pick<TunnelReport, 'name' | 'address' | 'variable' | 'clientVariables'>[],
  withClientVariables: boolean,
): Exported {
  const owners = new Map<string, string>();
  const variables = new Map<string, string>();
  const warnings: string[] = [];
  const set = (owner: string, name: string, value: string) => {
    const first = owners.get(name);
    if (first !== undefined) {
      warnings.push(`${first} and ${owner} both set ${name}: later steps get that of ${first}`);
      return;
    }
    owners.set(name, owner);
    variables.set(name, value);
  };
  for (const { address, name, variable } of tunnels) set(name, variable, address);
  for (const { clientVariables, name } of withClientVariables ? tunnels : []) {
    for (const [variable, value] of Object.entries(clientVariables)) set(name, variable, value);
  }
  return { variables, warnings };
}
