/** The configuration of a run, checked as a whole, and what it is run with. Contacts and writes nothing. */
import { dirname, resolve } from 'node:path';
import { refuseScopes } from '../config/checks.ts';
import { loadPlan } from '../config/load.ts';
import type { Plan, PlannedRun } from '../config/plan.ts';
import type { PlanInputs, TunnelFlags } from '../config/source.ts';
import { startRetries } from '../effects/retry.ts';
import type { World } from '../effects/world.ts';
import { asMachineIdError, pluralize } from '../errors.ts';
import { findLeftovers } from '../job/left-over.ts';
import { openManifest, type Writer } from '../job/manifest.ts';
import { openNetwork } from '../net/network.ts';
import { startWireTrace } from '../net/trace.ts';
import { webTrust } from '../net/trust.ts';
import { readAuthTrust } from '../teleport/auth-trust.ts';
import { openUpgrades } from '../teleport/connection-upgrade.ts';
import type { Journal } from '../outputs/journal.ts';
import { supportedOutputs } from '../outputs/supported.ts';
import { configuredOutput, type SupportedOutput } from '../outputs/outputs.ts';
import { caFilePaths } from '../schema/unexpanded.ts';
import { refuseGuardOfBot } from './guards.ts';
import type { RunArguments } from './run-flags.ts';

const MAX_INPUT_BYTES = 1024 * 1024;

/**
 * @param tunnelFlags if the command opens tunnels
 * @throws MachineIdError with all problems of the input
 */
export function readConfiguration(
  given: RunArguments,
  journal: Journal,
  world: World,
  tunnelFlags?: TunnelFlags,
): Promise<PlannedRun> {
  return journal.step(
    'configuration',
    async () => {
      const run = await plannedRun(given, journal, world, tunnelFlags);
      for (const warning of run.plan.warnings) journal.warn(warning);
      await warnAboutLeftovers(run);
      return run;
    },
    ({ outputs, plan }) => ({
      message: `configuration read: ${tunnelFlags === undefined ? pluralize(outputs.length, 'output') : pluralize(plan.tunnels.length, 'tunnel')}, ${plan.address.kind === 'auth' ? 'auth_server' : 'Proxy'} ${plan.address.value}`,
    }),
  );
}

async function plannedRun(
  given: RunArguments,
  journal: Journal,
  world: World,
  tunnelFlags: TunnelFlags | undefined,
): Promise<PlannedRun> {
  const { caFile, deadlineMs, engine, timeoutMs } = given;
  const { clock, environment, files, random, signal } = world;
  const readText = (path: string) => files.readInput(path, { maxBytes: MAX_INPUT_BYTES, signal });
  const plan = await readPlan(given, { ...world, tunnelFlags }, readText);
  journal.note({ plan });
  if (engine === 'native') refuseScopes(plan);
  else refuseGuardOfBot(plan);
  const outputs = supportedOutputs(plan);
  journal.note({ outputs: outputs.map((output) => configuredOutput(output)) });
  const trust = await webTrust({ ...world, caFile, insecure: plan.insecure, readText });
  const isAuth = plan.address.kind === 'auth';
  const authTrust = isAuth ? await readAuthTrust(plan, readText) : undefined;
  if (plan.insecure) {
    journal.warn(
      `insecure: the ${isAuth ? 'certificate of the Auth Service' : 'web certificate of the Proxy'} is not verified`,
    );
  }
  const warn = (message: string) => {
    journal.warn(message);
  };
  const network = openNetwork({ ...world, authorities: () => Promise.resolve(trust.elsewhere?.()), timeoutMs });
  const trace = plan.debug ? startWireTrace(journal, clock) : undefined;
  return {
    world,
    journal,
    plan,
    outputs,
    trust,
    authTrust,
    network,
    caFile: caFile === undefined ? undefined : resolve(world.workingDirectory, caFile),
    upgrades: openUpgrades({
      network,
      trust: () => Promise.resolve(trust),
      environment,
      trace,
      onNeeded: (message) => {
        journal.info(message);
      },
    }),
    retries: startRetries({ timeoutMs, deadlineMs, clock, random, log: journal, signal }),
    trace,
    record: openManifest(files, environment, warn, await writerOf(outputs, world)),
  };
}

function readPlan(
  { caFile, flags, report, tokenFile }: RunArguments,
  { environment, tunnelFlags, workingDirectory }: World & Pick<PlanInputs, 'tunnelFlags'>,
  readFile: (path: string) => Promise<string>,
): Promise<Plan> {
  const otherPaths = { ...caFilePaths(caFile, environment), '--report': report, '--token-file': tokenFile };
  return loadPlan({ flags, environment, tunnelFlags, otherPaths, workingDirectory, readFile });
}

/** Credentials are requested later in the run, and their lifetime begins then. */
const SLACK_MS = 10 * 60 * 1000;

async function writerOf(outputs: readonly SupportedOutput[], { clock, listProcesses }: World): Promise<Writer> {
  const processes = await listProcesses();
  const lifetimesMs = outputs.map((output) =>
    Math.max(output.ttlMs, 'sessionDurationMs' in output ? output.sessionDurationMs : 0),
  );
  return {
    scope: processes?.scope ?? '',
    processes: processes?.ancestors ?? [],
    endsMs: clock.nowMs() + Math.max(0, ...lifetimesMs) + SLACK_MS,
  };
}

/** A run does not fail because of what earlier jobs left. */
async function warnAboutLeftovers({ journal, world }: PlannedRun): Promise<void> {
  const found = await findLeftovers({ ...world, nowMs: world.clock.nowMs() }).catch((error: unknown) => {
    journal.debug(`what earlier jobs left cannot be read: ${asMachineIdError(error).message}`);
    return [];
  });
  for (const { ended, files, job, reason } of found) {
    const folders = [...new Set(files.map((path) => dirname(path)))].join(', ');
    if (!ended) journal.debug(`credentials of the job ${job} in ${folders} are left alone: ${reason}`);
    else {
      journal.warn(
        `credentials of the job ${job}, which has ended (${reason}), are still in ${folders}: remove them with "cleanup --left-over" (orb parameter left_over)`,
      );
    }
  }
}
