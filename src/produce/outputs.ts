/** Produces every output of a plan at once; one that fails does not stop the others. */
import type { SupportedOutput } from '../config/supported.ts';
import { generateKeyPair, type KeyPair } from '../crypto/keys.ts';
import { asMachineIdError, MachineIdError } from '../errors.ts';
import type { Joined } from '../join/join.ts';
import { keyAlgorithm } from '../teleport/suite.ts';
import { openSession } from './cluster-session.ts';
import { produceApplication } from './application.ts';
import { produceDatabase } from './database.ts';
import { produceIdentity } from './identity.ts';
import { produceKubernetes } from './kubernetes.ts';
import { produceKubernetesV2 } from './kubernetes-v2.ts';
import { produceSpiffeSvid } from './spiffe-svid.ts';
import { produceSshHost } from './ssh-host.ts';
import { produceAwsRolesAnywhere } from './workload-identity-aws-roles-anywhere.ts';
import { produceWorkloadJwt } from './workload-identity-jwt.ts';
import { produceWorkloadX509 } from './workload-identity-x509.ts';
import type { OutputWork } from './work.ts';
import { outputLabel } from './output-label.ts';
import { prepare } from './place.ts';
import type { RunContext } from './context.ts';
import type { WrittenOutput } from './result.ts';

/** One key an output, in the outputs' order; each may still be in the making. */
export type OutputKeys = readonly Promise<KeyPair>[];

export function makeKeys(outputs: readonly SupportedOutput[], suite: string): OutputKeys {
  const keys = outputs.map((output) => makeKey(output, suite));
  // Awaited by their outputs, unless the run fails before.
  for (const key of keys) key.catch(() => undefined);
  return keys;
}

/** @throws MachineIdError DESTINATION_UNSAFE, DESTINATION_UNWRITABLE */
export async function prepareOutputs(run: RunContext): Promise<void> {
  for (const { destination } of run.outputs) await prepare(destination, run);
}

/** @throws MachineIdError: the failure itself when one output failed, OUTPUTS_FAILED with a list when several did */
export async function writeOutputs(
  run: RunContext,
  joined: Joined,
  keys: OutputKeys,
): Promise<readonly WrittenOutput[]> {
  const { account, log, outputs, plan, progress, timeoutMs, trace, world } = run;
  if (outputs.length === 0) return [];
  const { address } = plan;
  const { clock, signal } = world;
  const session = await account.during('cluster', 'Auth Service', () =>
    openSession({ address, bot: joined.bot, timeoutMs, signal, clock, log, trace }),
  );
  progress.done('auth', 'connected to the Auth Service');
  try {
    const results = await tryOutputs({ run, joined, session }, keys);
    account.learn({ results });
    throwFailures(outputs, results);
    return results.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []));
  } finally {
    session.close();
  }
}

/** In the outputs' order. */
export function tryOutputs(
  work: Omit<OutputWork, 'key'>,
  keys: OutputKeys,
): Promise<readonly PromiseSettledResult<WrittenOutput>[]> {
  const { joined, run } = work;
  return Promise.allSettled(
    run.outputs.map((output, at) =>
      run.account.during('output', outputLabel(output), () =>
        produce(output, { ...work, key: keys[at] ?? makeKey(output, joined.cluster.suite) }),
      ),
    ),
  );
}

/** Many databases know RSA alone, so Teleport has them RSA in every suite. */
function makeKey({ type }: SupportedOutput, suite: string): Promise<KeyPair> {
  return generateKeyPair(type === 'database' ? 'rsa-2048' : keyAlgorithm(suite));
}

/** By type: every output that the configuration lets through has its file in this folder. */
function produce(output: SupportedOutput, work: OutputWork): Promise<WrittenOutput> {
  switch (output.type) {
    case 'identity':
      return produceIdentity(output, work);
    case 'application':
      return produceApplication(output, work);
    case 'database':
      return produceDatabase(output, work);
    case 'kubernetes':
      return produceKubernetes(output, work);
    case 'kubernetes/v2':
      return produceKubernetesV2(output, work);
    case 'ssh_host':
      return produceSshHost(output, work);
    case 'spiffe-svid':
      return produceSpiffeSvid(output, work);
    case 'workload-identity-x509':
      return produceWorkloadX509(output, work);
    case 'workload-identity-jwt':
      return produceWorkloadJwt(output, work);
    case 'workload-identity-aws-roles-anywhere':
      return produceAwsRolesAnywhere(output, work);
    default:
      return output satisfies never;
  }
}

function throwFailures(
  outputs: readonly SupportedOutput[],
  results: readonly PromiseSettledResult<WrittenOutput>[],
): void {
  const failures = results.flatMap((result, at) => {
    const output = outputs[at];
    return result.status === 'rejected' && output !== undefined
      ? [{ output, error: asMachineIdError(result.reason) }]
      : [];
  });
  const [first] = failures;
  if (first === undefined) return;
  if (failures.length === 1) throw first.error;
  throw new MachineIdError('OUTPUTS_FAILED', `${failures.length} of ${outputs.length} outputs failed`, {
    hint: first.error.hint,
    cause: first.error,
    faults: failures.map(({ output: { path, line }, error }) => ({
      path,
      ...(line === undefined ? {} : { line }),
      message: `${error.code}: ${error.message}`,
    })),
  });
}
