/** Writes a plan down as a `tbot.yaml` of version 2, for tbot itself. */
import { resolve } from 'node:path';
import type { Plan } from '../config/plan.ts';
import { tbotKeys } from '../config/settings.ts';
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
  const { address, certificateTtlMs, debug, insecure, settings } = plan;
  const file: Fields = {
    version: 'v2',
    // Whatever the setting was called: it is a Proxy that has answered there.
    proxy_server: address.value,
    onboarding: {
      join_method: plan.joinMethod,
      token: plan.token,
      ...tbotKeys(settings, workingDirectory, 'onboarding'),
    },
    storage: { type: 'memory' },
    oneshot: true,
    ...tbotKeys(settings, workingDirectory),
    certificate_ttl: goDuration(certificateTtlMs),
    renewal_interval: goDuration(plan.renewalIntervalMs),
    ...(debug ? { debug } : {}),
    ...(insecure ? { insecure } : {}),
    ...(plan.scopeRequests.length === 0 ? {} : { scoped: true }),
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
