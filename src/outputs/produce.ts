/** Produces all outputs of a plan in parallel; one that fails does not stop the others. */
import { openSession } from '../auth/session.ts';
import { generateKeyPair, type KeyPair } from '../crypto/keys.ts';
import { asMachineIdError, locationText, MachineIdError, pluralize, type Problem } from '../errors.ts';
import type { Joined } from '../join/join.ts';
import { keyAlgorithm } from '../teleport/suite.ts';
import type { FailedOutput, RunResult, WrittenOutput } from './result.ts';
import { sendHeartbeat } from './heartbeat.ts';
import { type AskedProxy, askedProxy, lostCertificates } from './lost-certificates.ts';
import { outputLabel } from './output.ts';
import { produce, routedKeyOf, type SupportedOutput } from './outputs.ts';
import { lookupKey, type Lookups, type OutputKeys, type OutputWork, prepareOutput, type RunContext } from './work.ts';

/** A run with the outputs that it writes. */
export interface OutputsRun extends RunContext {
  readonly outputs: readonly SupportedOutput[];
}

export function makeKeys(outputs: readonly SupportedOutput[], suite: string): readonly OutputKeys[] {
  const lookups = new Map<string, Promise<KeyPair>>();
  return outputs.map((output) => keysOf(output, suite, lookups));
}

/** @throws MachineIdError DESTINATION_UNSAFE, DESTINATION_UNWRITABLE */
export async function prepareOutputs(run: RunContext): Promise<void> {
  for (const { destination } of run.outputs) await prepareOutput(destination, run);
}

export type Results = Pick<RunResult, 'failures' | 'outputs'>;

/** @throws MachineIdError when the Auth Service cannot be reached; an output that fails is among the failures */
export async function writeOutputs(run: OutputsRun, joined: Joined, keys: readonly OutputKeys[]): Promise<Results> {
  const { journal, network, outputs, plan, retries, trace, upgrades, world } = run;
  if (outputs.length === 0) return { outputs: [], failures: [] };
  const { address } = plan;
  const { clock, signal } = world;
  const { bot, contact } = joined;
  const proxy = contact.kind === 'proxy' ? contact.facts : undefined;
  const session = await journal.step(
    'session',
    () => openSession({ address, proxy, network, upgrades, bot, retries, signal, clock, log: journal, trace }),
    () => ({ message: 'connected to the Auth Service' }),
  );
  // The run continues meanwhile.
  let heartbeat: Promise<void> = Promise.resolve();
  try {
    const results = await tryOutputs({ run, joined, session }, keys);
    heartbeat = sendHeartbeat(run, joined, session);
    journal.note({ results });
    const sorted = sortResults(outputs, results);
    const asked = await askedProxy(joined, plan, outputs);
    if (asked !== undefined) await warnAboutLostCertificates(run, asked, sorted.outputs);
    return sorted;
  } finally {
    void heartbeat.then(() => {
      session.close();
    });
  }
}

/** One warning for all outputs. */
export async function warnAboutLostCertificates(
  { journal, plan, upgrades, world: { signal } }: OutputsRun,
  proxy: AskedProxy,
  outputs: readonly WrittenOutput[],
): Promise<void> {
  const lost = await lostCertificates(outputs, proxy, { plan, upgrades, signal });
  const [first] = lost;
  if (first === undefined) return;
  const others = lost.slice(1).map(({ path }) => path);
  const more = others.length === 0 ? '' : ` The same holds for ${others.join(', ')}.`;
  journal.warn(`${first.path}: ${first.text}.${more} ${first.fix}`);
}

/** @param results in the outputs' order */
export function sortResults(
  outputs: readonly SupportedOutput[],
  results: readonly PromiseSettledResult<WrittenOutput>[],
): Results {
  return {
    outputs: results.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : [])),
    failures: results.flatMap((result, at) => {
      const output = outputs[at];
      if (result.status === 'fulfilled' || output === undefined) return [];
      const { line, path, type } = output;
      return [{ path, line, type, error: asMachineIdError(result.reason) }];
    }),
  };
}

/** In the outputs' order. */
export function tryOutputs(
  work: Omit<OutputWork, 'keys' | 'lookups' | 'run'> & { readonly run: OutputsRun },
  keys: readonly OutputKeys[],
): Promise<readonly PromiseSettledResult<WrittenOutput>[]> {
  const { joined, run } = work;
  const lookups: Lookups = new Map();
  return Promise.allSettled(
    run.outputs.map((output, at) =>
      run.journal.outputStep(outputLabel(output), () =>
        produce(output, { ...work, lookups, keys: keys[at] ?? keysOf(output, joined.cluster.suite, new Map()) }),
      ),
    ),
  );
}

/**
 * The routed key is generated second, so that it does not delay the join; it is needed two round trips later. Outputs that
 * share a session to look up their resources share its key.
 */
function keysOf(output: SupportedOutput, suite: string, lookups: Map<string, Promise<KeyPair>>): OutputKeys {
  const kind = routedKeyOf(output);
  const known = kind === undefined ? undefined : lookups.get(lookupKey(output));
  const unrouted = known ?? generateKeyPair(keyAlgorithm(suite));
  if (kind !== undefined) lookups.set(lookupKey(output), unrouted);
  const routed =
    kind === undefined ? unrouted : unrouted.then(() => generateKeyPair(kind === 'suite' ? keyAlgorithm(suite) : kind));
  // Awaited by their outputs, unless the run fails before.
  for (const key of [unrouted, routed]) key.catch(() => undefined);
  return { unrouted, routed };
}

/**
 * The error of a run with failed outputs: the failure itself if there is one, OUTPUTS_FAILED with a list if there are
 * several. Each one names its output.
 */
export function failureOfOutputs({ failures, outputs }: Results): MachineIdError | undefined {
  const [first, ...others] = failures;
  if (first === undefined) return undefined;
  // If the command line has only one output, its name is not shown.
  if (others.length === 0 && outputs.length === 0 && first.path === '--destination') return first.error;
  if (others.length === 0) return ofOutput(first);
  const hints = new Set(failures.map(({ error }) => error.hint));
  const all = failures.length + outputs.length;
  return new MachineIdError('OUTPUTS_FAILED', `${failures.length} of ${pluralize(all, 'output')} failed`, {
    hint: hints.size === 1 ? first.error.hint : 'Fix each of these outputs as described below it.',
    cause: first.error,
    problems: failures.map((failure) => problemOf(failure, hints.size > 1)),
  });
}

/** The same failure, with a message that begins with the output's place in the configuration. */
function ofOutput(failure: FailedOutput): MachineIdError {
  const { cause, code, problems, hint, likelyCauses, transient } = failure.error;
  const [first = '', ...lines] = withinOutput(failure).split('\n');
  const message = `${locationText(failure)}: ${first}`;
  return new MachineIdError(code, message, { lines, hint, cause, likelyCauses, transient, problems });
}

function problemOf(failure: FailedOutput, hasOwnHint: boolean): Problem {
  const { error, line, path } = failure;
  return {
    path,
    ...(line === undefined ? {} : { line }),
    message: `${error.code}: ${withinOutput(failure)}`,
    ...(hasOwnHint ? { hint: error.hint } : {}),
  };
}

/** Removes the output's path, with which many messages begin: `outputs[0].cluster: ` becomes `cluster: `. */
function withinOutput({ error: { message }, path }: FailedOutput): string {
  if (!message.startsWith(path)) return message;
  const rest = message.slice(path.length);
  const [separator = ''] = /^(?:\.(?=[^\s:]+: )|: )/.exec(rest) ?? [];
  return separator === '' ? message : rest.slice(separator.length);
}
