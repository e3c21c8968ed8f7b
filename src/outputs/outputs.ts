/** The list of output types, and functions that look up what the type of an output declares. */
import { application } from './application.ts';
import { awsRolesAnywhere } from './aws-roles-anywhere.ts';
import { database } from './database.ts';
import { type FileNames, fileNames } from './file-list.ts';
import { identity } from './identity.ts';
import type { ConfiguredOutput } from './journal.ts';
import type { WrittenOutput } from './result.ts';
import { kubernetes } from './kubernetes.ts';
import { kubernetesV2 } from './kubernetes-v2.ts';
import type { OutputOf, SettingsOf } from './output.ts';
import type { OutputType, Use } from './output-type.ts';
import type { CredentialFiles, Credentials } from './read-back.ts';
import { spiffeSvid } from './spiffe-svid.ts';
import { sshHost } from './ssh-host.ts';
import type { OutputWork } from './work.ts';
import { workloadIdentityJwt, workloadIdentityX509 } from './workload-identity.ts';

/** To add a type, declare it in its own file and add a line here. */
export const OUTPUT_TYPES = {
  identity,
  application,
  database,
  kubernetes,
  'kubernetes/v2': kubernetesV2,
  ssh_host: sshHost,
  'spiffe-svid': spiffeSvid,
  'workload-identity-x509': workloadIdentityX509,
  'workload-identity-jwt': workloadIdentityJwt,
  'workload-identity-aws-roles-anywhere': awsRolesAnywhere,
};

export type TypeName = keyof typeof OUTPUT_TYPES;
type Values = { [T in TypeName]: (typeof OUTPUT_TYPES)[T] extends OutputType<T, infer V> ? V : never };

/** An output as a file or flags give it. */
export type OutputSettings<T extends TypeName = TypeName> = { [P in T]: SettingsOf<P, Values[P]> }[T];

/** An output that this version writes. */
export type SupportedOutput<T extends TypeName = TypeName> = { [P in T]: OutputOf<P, Values[P]> }[T];

const TYPES: { readonly [T in TypeName]: OutputType<T, Values[T]> } = OUTPUT_TYPES;

/** @throws MachineIdError as asking, checking and writing do */
export function produce<T extends TypeName>(output: SupportedOutput<T>, work: OutputWork): Promise<WrittenOutput> {
  return TYPES[output.type].produce(output, work);
}

/** An output as reports show it. */
export function configuredOutput<T extends TypeName>(output: SupportedOutput<T>): ConfiguredOutput {
  return { ...output, resource: TYPES[output.type].resource(output) };
}

/** What it has besides what all outputs have, as `tbot.yaml` spells it. */
export function writtenKeys<T extends TypeName>(output: SupportedOutput<T>): Readonly<Record<string, unknown>> {
  return TYPES[output.type].keys.write(output);
}

/** The files that tbot writes for it. */
export function filesOf<T extends TypeName>(output: SupportedOutput<T>): FileNames {
  return fileNames(TYPES[output.type].files, output);
}

/** @throws MachineIdError TBOT_FAILED, whose message begins with the name of a file */
export async function readCredentials<T extends TypeName>(
  output: SupportedOutput<T>,
  files: CredentialFiles,
): Promise<Credentials> {
  return TYPES[output.type].readBack(output, files);
}

/** The profile, if it writes into a file of AWS profiles that may have others. */
export function awsProfileOf<T extends TypeName>(output: SupportedOutput<T>): string | undefined {
  return TYPES[output.type].awsProfile?.(output);
}

/** What its credentials are used with; `undefined` where that needs no other connection than those of every run. */
export function useOf<T extends TypeName>(output: SupportedOutput<T>): Use | undefined {
  return TYPES[output.type].use?.(output);
}

/** Whether an output has files that name addresses of the Proxy. */
export function needsProxy(outputs: readonly SupportedOutput[]): boolean {
  return outputs.some((output) => {
    const use = useOf(output);
    return use?.kind === 'kubernetes' || (use?.kind === 'ssh' && use.isConfigured);
  });
}

/** The kind of the key for its routed certificate; `undefined` where it has none. */
export function routedKeyOf({ type }: SupportedOutput): OutputType<TypeName, object>['routedKey'] {
  return TYPES[type].routedKey;
}

/** The keys of an output that have a value and are not supported. */
export function unsupportedKeys<T extends TypeName>(output: OutputSettings<T>): readonly string[] {
  return TYPES[output.type].keys.unsupported(output);
}
