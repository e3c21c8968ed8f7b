/** Writes a plan down as a `tbot.yaml` of version 2, for tbot itself. */
import { resolve } from 'node:path';
import { DEFAULT_LEEWAY_MS } from '../config/load.ts';
import type { Plan } from '../config/plan.ts';
import { type SupportedOutput, writtenKeys } from '../outputs/types.ts';
import type { Lifetime } from '../schema/common.ts';
import { goDuration } from '../schema/values.ts';

type Fields = Readonly<Record<string, unknown>>;

/**
 * The whole plan, rather than the user's file with flags beside it: what came from flags, variables and parameters counts
 * as it does here, while tbot lets a single `--token` drop the rest of `onboarding`, and has no flags for outputs beside
 * those of a file. A key that is not in the plan has been warned of; tbot of 15 and 16 would refuse the file for some of
 * those, later ones pass over them.
 *
 * For every version since 15: `outputs` is the list that 15 reads whole, `certificate_ttl` the name of the lifetime that
 * it knows, and a key that came later stands here only when it says something else than its default. JSON is YAML.
 */
export function tbotFile(plan: Plan, outputs: readonly SupportedOutput[], workingDirectory: string): string {
  const { address, caPath, caPins, certificateTtlMs, debug, diagAddr, fips, insecure, leewayMs } = plan;
  const file: Fields = {
    version: 'v2',
    // Whatever the setting was called: it is a Proxy that has answered there.
    proxy_server: address.value,
    onboarding: {
      join_method: plan.joinMethod,
      token: plan.token,
      ...(caPins.length === 0 ? {} : { ca_pins: caPins }),
      ...(caPath === undefined ? {} : { ca_path: resolve(workingDirectory, caPath) }),
    },
    storage: { type: 'memory' },
    oneshot: true,
    certificate_ttl: goDuration(certificateTtlMs),
    renewal_interval: goDuration(plan.renewalIntervalMs),
    ...(debug ? { debug } : {}),
    ...(fips ? { fips } : {}),
    ...(insecure ? { insecure } : {}),
    ...(plan.scopeRequests.length === 0 ? {} : { scoped: true }),
    ...optional('diag_addr', diagAddr),
    ...(leewayMs === DEFAULT_LEEWAY_MS ? {} : { leeway: goDuration(leewayMs) }),
    outputs: outputs.map((output) => outputFields(output, workingDirectory)),
  };
  return `${JSON.stringify(file, undefined, 2)}\n`;
}

function outputFields(output: SupportedOutput, workingDirectory: string): Fields {
  const { destination, lifetime, name, roles, type } = output;
  return {
    type,
    ...(name === undefined ? {} : { name }),
    ...(roles.length === 0 ? {} : { roles }),
    ...(lifetime === undefined ? {} : lifetimeFields(lifetime)),
    destination:
      destination.type === 'memory'
        ? { type: 'memory' }
        : { ...destination, path: resolve(workingDirectory, destination.path) },
    ...writtenKeys(output),
  };
}

function lifetimeFields({ renewalIntervalMs, ttlMs }: Lifetime): Fields {
  return { credential_ttl: goDuration(ttlMs), renewal_interval: goDuration(renewalIntervalMs) };
}

function optional(key: string, value: string | undefined): Fields {
  return value === undefined ? {} : { [key]: value };
}
