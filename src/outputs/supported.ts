/** Rejects outputs of a plan that a run cannot or need not write, or that the cluster's version does not allow. */
import { MachineIdError, type Problem } from '../errors.ts';
import type { ConfigLocation, Placed } from './output.ts';
import { type OutputSettings, type SupportedOutput, unsupportedKeys } from './outputs.ts';
import type { ArgoCdSettings } from './unwritten.ts';

/** An output in a plan. */
export type Output = Placed<OutputSettings | ArgoCdSettings>;

/** @throws MachineIdError OUTPUT_UNSUPPORTED with every output that a run in a job does not write */
export function supportedOutputs({ outputs }: { readonly outputs: readonly Output[] }): readonly SupportedOutput[] {
  const problems = outputs.flatMap((output) => {
    const reason = unsupported(output);
    if (reason === undefined) return [];
    return [{ path: output.path, ...(output.line === undefined ? {} : { line: output.line }), message: reason }];
  });
  if (problems.length === 0) return outputs.filter(isSupported);
  const [first = '', ...others] = problems.map(lineOf);
  throw new MachineIdError('OUTPUT_UNSUPPORTED', first, {
    lines: others,
    hint: 'Change or remove these outputs; everything else in the file can stay unchanged.',
    problems,
  });
}

function isSupported(output: Output): output is SupportedOutput {
  return unsupported(output) === undefined;
}

const ARGO_CD =
  'output type "kubernetes/argo-cd" is not written by a CI job: it keeps the Secrets of an Argo CD up to date, but what a job writes expires with its certificates; run tbot next to that Argo CD, and for kubectl in this job use an output of type "kubernetes/v2"';

const KUBERNETES_SECRET =
  'destination type "kubernetes_secret" is not written by a CI job: a job is not a pod and does not need a Secret for files that its own steps read; use type "directory", and if you need a Secret, create it in a later step: kubectl create secret generic NAME --from-file=DIR';

/** Why `output` cannot be written, or `undefined` if it can. */
function unsupported(output: Output): string | undefined {
  if (output.type === 'kubernetes/argo-cd') return ARGO_CD;
  if (output.destination.type === 'kubernetes_secret') return KUBERNETES_SECRET;
  const [key] = unsupportedKeys(output);
  return key === undefined ? undefined : `${key} is not supported yet by this version`;
}

/** The first version whose tbot rejects the key `roles`. */
const FIRST_MAJOR_WITHOUT_ROLES = 19;

interface Items {
  readonly outputs: readonly (ConfigLocation & { readonly roles: readonly string[] })[];
  readonly tunnels: readonly (ConfigLocation & { readonly roles: readonly string[] })[];
  readonly services: readonly (ConfigLocation & { readonly roles: readonly string[] })[];
}

/**
 * Rejects the keys of the plan that a version of Teleport no longer has. Ignoring `roles` would give an output more
 * rights than its file requests.
 * @param who has that version, for example `the cluster example.com runs`
 * @throws MachineIdError CLUSTER_UNSUPPORTED with every such key
 */
export function refuseRemovedKeys(
  { outputs, services, tunnels }: Items,
  version: { readonly major: number; readonly text: string },
  who: string,
): void {
  if (version.major < FIRST_MAJOR_WITHOUT_ROLES) return;
  const problems = [...outputs, ...tunnels, ...services].flatMap(({ line, path, roles }) => {
    if (roles.length === 0) return [];
    const message = `the key "roles" was removed in Teleport ${FIRST_MAJOR_WITHOUT_ROLES}, and ${who} ${version.text}`;
    return [{ path: `${path}.roles`, ...(line === undefined ? {} : { line }), message }];
  });
  if (problems.length === 0) return;
  const [first = '', ...others] = problems.map(lineOf);
  throw new MachineIdError('CLUSTER_UNSUPPORTED', first, {
    lines: others,
    hint: 'Remove "roles": the output then gets all roles of the bot. For fewer roles, use another bot and join token that have only those.',
    problems,
  });
}

function lineOf({ line, message, path }: Problem): string {
  return `${path}${line === undefined ? '' : ` (line ${line})`}: ${message}`;
}
