/**
 * A simulated job: the connections, requests and time limits of a run with one output, in the order of src/join/join.ts and
 * src/teleport/auth-connection.ts, and the retries of src/effects/retry.ts itself.
 */
import { MachineIdError } from '../src/errors.ts';
import { type Retries, RETRY_POLICY, startRetries } from '../src/effects/retry.ts';
import type { StormClock } from './storm-clock.ts';
import type { StormCluster } from './storm-cluster.ts';

export interface JobOptions {
  readonly clock: StormClock;
  readonly cluster: StormCluster;
  readonly address: string;
  readonly deadlineMs: number;
  readonly random: () => number;
}

export interface JobEnd {
  /** From the start of the job. */
  readonly durationMs: number;
  /** The code of the error, if it failed. */
  readonly code: string | undefined;
}

/** Of `--timeout`. */
const TIMEOUT_MS = 30_000;
/** No job is interrupted, and none logs. */
const { signal } = new AbortController();
const log = { info: () => undefined };
/** `FIRST_RESPONSE_TIMEOUT_MS` of src/join/join.ts. */
const FIRST_RESPONSE_TIMEOUT_MS = 5000;
/** The calls before the output's certificates, compared with a join; the certificates are as much work as one. */
const SMALL_CALLS = [0.05, 0.05, 0.05];

export async function simulateJob(options: JobOptions): Promise<JobEnd> {
  const { clock, deadlineMs, random } = options;
  const startMs = clock.elapsedMs();
  const retries = startRetries({ timeoutMs: TIMEOUT_MS, deadlineMs, clock, random, log, signal });
  try {
    await becomeBot(options, retries);
    await getCertificates(options, retries);
    return { durationMs: clock.elapsedMs() - startMs, code: undefined };
  } catch (error) {
    if (!(error instanceof MachineIdError)) throw error;
    return { durationMs: clock.elapsedMs() - startMs, code: error.code };
  }
}

async function becomeBot({ address, clock, cluster }: JobOptions, retries: Retries): Promise<void> {
  let isConnected = false;
  const connectWeb = async () => {
    if (!isConnected) await cluster.connect();
    isConnected = true;
  };
  // The join service is asked together with discovery.
  const first = startServiceJoin();
  await retries.run(() =>
    within(retries, async () => {
      await connectWeb();
      await cluster.ping(address);
    }),
  );
  const attempts = retries.hasFailed() && first.wasUnreachable() ? [] : [first];
  if (!cluster.hasJoinService) {
    await retries.run(register);
    return;
  }
  await retries.run(async () => {
    if ((await outcomeOf(attempts.pop() ?? startServiceJoin())) === 'joined') return;
    await register();
  });

  function register(): Promise<void> {
    return within(retries, async () => {
      await connectWeb();
      await cluster.register(address);
    });
  }

  function startServiceJoin() {
    let onAnswer: () => void = () => undefined;
    const answered = new Promise<void>((resolve) => {
      onAnswer = resolve;
    });
    let reached = false;
    const result = within(retries, async () => {
      await cluster.connect();
      reached = true;
      if (cluster.hasJoinService) await cluster.join(address, onAnswer);
    });
    let unreachable = false;
    result.catch(() => {
      unreachable = !reached;
    });
    return { result, answered, wasUnreachable: () => unreachable };
  }

  async function outcomeOf({ answered, result, wasUnreachable }: ReturnType<typeof startServiceJoin>) {
    let cancel: () => void = () => undefined;
    const silence = new Promise<'silent'>((resolve) => {
      cancel = clock.after(FIRST_RESPONSE_TIMEOUT_MS, () => {
        resolve('silent');
      });
    });
    try {
      if ((await Promise.race([result, answered, silence])) === 'silent') return 'unavailable';
      await result;
      return 'joined';
    } catch (error) {
      if (wasUnreachable()) return 'unavailable';
      throw error;
    } finally {
      cancel();
    }
  }

  function within<T>(limits: Pick<Retries, 'attemptMs'>, work: () => Promise<T>): Promise<T> {
    return withTimeLimit(clock, limits.attemptMs(), work);
  }
}

async function getCertificates({ address, clock, cluster }: JobOptions, retries: Retries): Promise<void> {
  await retries.run(() => withTimeLimit(clock, retries.attemptMs(), () => cluster.connect()));
  const call = (share: number) =>
    retries.run(() => withTimeLimit(clock, retries.attemptMs(), () => cluster.call(address, share)));
  await Promise.all(SMALL_CALLS.map(call));
  await call(1);
}

/** As `withDeadline`, on the simulated clock. @throws MachineIdError TIMEOUT, which is final */
function withTimeLimit<T>(clock: StormClock, timeoutMs: number, work: () => Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    const cancel = clock.after(timeoutMs, () => {
      reject(new MachineIdError('TIMEOUT', 'no response in time', { hint: '' }));
    });
    work().then(resolve, reject).finally(cancel);
  });
}

export const DEADLINE_MS = RETRY_POLICY.deadlineMs;
