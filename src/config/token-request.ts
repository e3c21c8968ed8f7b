/** The join method and the origin of its OIDC token: checks of the settings, and what the run gets. */
import type { GenericTokenRequest, JoinMethod, TokenRequest, TokenSource } from '../job/token-request.ts';
import { closestMatch } from '../schema/values.ts';
import { type Findings, nameOf } from './findings.ts';
import type { Settings } from './settings.ts';

const OTHER_METHODS: readonly string[] = [
  'azure',
  'azure_devops',
  'bitbucket',
  'bound_keypair',
  'env0',
  'gcp',
  'github',
  'gitlab',
  'iam',
  'kubernetes',
  'oracle',
  'spacelift',
  'terraform_cloud',
  'token',
  'tpm',
];

export function checkTokenRequest(settings: Settings, findings: Findings): void {
  const { joinMethod } = settings;
  const refusal = joinMethod === undefined ? undefined : refuseJoinMethod(joinMethod.value);
  if (joinMethod !== undefined && refusal !== undefined) findings.addProblem(joinMethod.origin, refusal);
  else if (methodOf(settings) === 'generic_oidc') checkGeneric(settings, findings);
  else checkCircleCi(settings, findings);
}

/** Why the method is rejected, or `undefined` for a supported one. */
function refuseJoinMethod(method: string): string | undefined {
  if (method === 'circleci' || method === 'generic_oidc') return undefined;
  if (OTHER_METHODS.includes(method)) {
    return `join method "${method}" is not for a CircleCI job; use circleci or generic_oidc`;
  }
  const meant = closestMatch(method, ['circleci', 'generic_oidc', ...OTHER_METHODS]);
  return `unrecognized join method: "${method}"${meant === undefined ? '' : `; did you mean "${meant}"?`}`;
}

function checkGeneric({ genericOidcCommand: command, genericOidcEnv: env }: Settings, findings: Findings): void {
  if (command === undefined || env === undefined) return;
  findings.addProblem(command.origin, `cannot be set if ${nameOf(env.origin)} is set; keep one of them`);
}

function checkCircleCi({ audience, genericOidcCommand, genericOidcEnv }: Settings, findings: Findings): void {
  if (audience !== undefined) {
    const message = "needs the join method generic_oidc: circleci accepts only the organization's id as the audience";
    findings.addProblem(audience.origin, `${message}; add --join-method generic_oidc, or remove it`);
  }
  for (const unused of [genericOidcEnv, genericOidcCommand]) {
    if (unused !== undefined) {
      findings.warn(`${nameOf(unused.origin)} has no effect: it is for the join method generic_oidc`);
    }
  }
}

/** As far as the settings can be read. */
export function tokenRequestOf(settings: Settings): TokenRequest {
  return methodOf(settings) === 'generic_oidc' ? genericRequest(settings) : { joinMethod: 'circleci' };
}

function methodOf({ joinMethod }: Settings): JoinMethod {
  return joinMethod?.value === 'generic_oidc' ? joinMethod.value : 'circleci';
}

function genericRequest(settings: Settings): GenericTokenRequest {
  return { joinMethod: 'generic_oidc', audience: settings.audience?.value, source: sourceOf(settings) };
}

const DEFAULT_TIMEOUT_MS = 60_000;
/** Longer than any program needs to fetch a token; tbot has no limit. */
const MAX_TIMEOUT_MS = 60 * 60_000;

function sourceOf({ genericOidcCommand, genericOidcEnv, genericOidcTimeout }: Settings): TokenSource | undefined {
  if (genericOidcEnv !== undefined) {
    return { kind: 'variable', name: genericOidcEnv.value, setting: nameOf(genericOidcEnv.origin) };
  }
  if (genericOidcCommand === undefined) return undefined;
  const [program = '', ...args] = genericOidcCommand.value;
  const timeoutMs = Math.min(genericOidcTimeout?.value ?? DEFAULT_TIMEOUT_MS, MAX_TIMEOUT_MS);
  return { kind: 'command', program, args, timeoutMs, setting: nameOf(genericOidcCommand.origin) };
}
