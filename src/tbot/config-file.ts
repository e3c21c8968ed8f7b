/** Renders a plan as a `tbot.yaml` of version v2, for tbot itself. */
import { resolve } from 'node:path';
import type { Plan } from '../config/plan.ts';
import { tbotKeys } from '../config/settings.ts';
import { type SupportedOutput, writtenKeys } from '../outputs/outputs.ts';
import type { Lifetime } from '../schema/common.ts';
import { goDuration } from '../schema/values.ts';

/** The only one that tbot reads for circleci. */
export const OIDC_TOKEN_VARIABLE = 'CIRCLE_OIDC_TOKEN';

type Fields = Readonly<Record<string, unknown>>;

/**
 * The whole plan, and not the user's file plus flags: settings from flags, variables and parameters then have the same
 * precedence as in this program. In tbot, `--token` drops the rest of `onboarding`, and no flags add outputs to a file.
 * Keys that are not in the plan have caused a warning; tbot 15 and 16 would reject the file for some of them.
 *
 * Every version since 15 reads the result: 15 reads all types in `outputs` and knows the lifetime as `certificate_ttl`;
 * newer keys are written only when they differ from their default. JSON is YAML.
 */
export function tbotFile(
  { plan, server }: { readonly plan: Plan; readonly server: 'proxy' | 'auth' },
  outputs: readonly SupportedOutput[],
  workingDirectory: string,
): string {
  const { address, certificateTtlMs, debug, insecure, settings } = plan;
  const file: Fields = {
    version: 'v2',
    // By what has answered: a Proxy may be at the address of auth_server.
    [`${server}_server`]: address.value,
    onboarding: {
      join_method: plan.tokenRequest.joinMethod,
      token: plan.token,
      // The variable in which tbot gets the token that was found and checked here.
      ...(plan.tokenRequest.joinMethod === 'generic_oidc' ? { generic_oidc: { env: OIDC_TOKEN_VARIABLE } } : {}),
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
