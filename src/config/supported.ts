/** Refuses the outputs of a plan that this version cannot write, or that the version of the cluster does not allow. */
import { type Fault, MachineIdError } from '../errors.ts';
import type { DirectoryDestination, MemoryDestination } from '../outputs/destination.ts';
import type { Output } from './output.ts';
import type { Plan } from './plan.ts';

const ARGO_CD =
  'output type "kubernetes/argo-cd" is not written by a CI job: it keeps the Secrets of an Argo CD up to date, and what a job writes ends with its certificates; run tbot beside that Argo CD, and for kubectl in this job use an output of type "kubernetes/v2"';

const KUBERNETES_SECRET =
  'destination type "kubernetes_secret" is not written by a CI job: a job is no pod and needs no Secret for what its own steps read; use type "directory", and where a Secret is wanted all the same, make it in a later step: kubectl create secret generic NAME --from-file=DIR';

/** The types that a job has a use for. */
type SupportedType = Exclude<Output['type'], 'kubernetes/argo-cd'>;

/** An output of the type in a place that this version writes to. */
export type Supported<T extends SupportedType> = Extract<Output, { readonly type: T }> & {
  readonly destination: DirectoryDestination | MemoryDestination;
};

export type SupportedIdentity = Supported<'identity'>;

/** An output that this version writes. */
export type SupportedOutput = Supported<SupportedType>;

/** The outputs of the plan; throws `OUTPUT_UNSUPPORTED` with every one that a run in a job cannot or need not write. */
export function supportedOutputs({ outputs }: Pick<Plan, 'outputs'>): readonly SupportedOutput[] {
  const faults = outputs.flatMap((output) => {
    const reason = unsupported(output);
    if (reason === undefined) return [];
    return [{ path: output.path, ...(output.line === undefined ? {} : { line: output.line }), message: reason }];
  });
  if (faults.length === 0) return outputs.filter(isSupported);
  const [first = '', ...others] = faults.map(lineOf);
  throw new MachineIdError('OUTPUT_UNSUPPORTED', first, {
    lines: others,
    hint: 'Change or remove these outputs; everything else in the file can stay as it is.',
    faults,
  });
}

/** The first version whose tbot refuses the key `roles`. */
const FIRST_MAJOR_WITHOUT_ROLES = 19;

/**
 * Refuses the keys of the plan that a version of Teleport no longer has. Leaving `roles` out silently would give an
 * output more rights than its file asks for.
 * @param who is of that version, for example `the cluster example.com runs`
 * @throws MachineIdError CLUSTER_UNSUITABLE with every such key
 */
export function refuseRemovedKeys(
  { outputs, services }: Pick<Plan, 'outputs' | 'services'>,
  version: { readonly major: number; readonly text: string },
  who: string,
): void {
  if (version.major < FIRST_MAJOR_WITHOUT_ROLES) return;
  const faults = [...outputs, ...services].flatMap(({ line, path, roles }) => {
    if (roles.length === 0) return [];
    const message = `the key "roles" was removed in Teleport ${FIRST_MAJOR_WITHOUT_ROLES}, and ${who} ${version.text}`;
    return [{ path: `${path}.roles`, ...(line === undefined ? {} : { line }), message }];
  });
  if (faults.length === 0) return;
  const [first = '', ...others] = faults.map(lineOf);
  throw new MachineIdError('CLUSTER_UNSUITABLE', first, {
    lines: others,
    hint: 'Remove "roles": the output then gets all roles of the bot. For fewer roles, use another bot and join token that have only those.',
    faults,
  });
}

function lineOf({ line, message, path }: Fault): string {
  return `${path}${line === undefined ? '' : ` (line ${line})`}: ${message}`;
}

function isSupported(output: Output): output is SupportedOutput {
  return unsupported(output) === undefined;
}

/** Why `output` cannot be written, or `undefined` when it can. */
function unsupported(output: Output): string | undefined {
  if (output.type === 'kubernetes/argo-cd') return ARGO_CD;
  if (output.destination.type === 'kubernetes_secret') return KUBERNETES_SECRET;
  const key = unsupportedKey(output);
  return key === undefined ? undefined : `${key} is not supported yet by this version`;
}

function unsupportedKey(output: Output): string | undefined {
  if (output.type === 'identity' && output.delegationSessionId !== undefined) return 'delegation_session_id';
  if ('relayServer' in output && output.relayServer !== undefined) return 'relay_server';
  return undefined;
}
