/** The keeper: a process in the background that renews the credentials of a run before they expire. */
import { parseFlags } from '../cli/flags.ts';
import { utcTime } from '../crypto/validity.ts';
import type { PlannedRun } from '../config/plan.ts';
import type { Files } from '../effects/files.ts';
import { withOwnSignal } from '../effects/time.ts';
import type { World } from '../effects/world.ts';
import { failureOf, type MachineIdError } from '../errors.ts';
import type { Payload } from '../job/background-files.ts';
import { type Background, runBackground } from '../job/background-work.ts';
import { obtainFreshToken } from '../job/fresh-token.ts';
import { clearNotice, writeNotice } from '../job/keeper-notice.ts';
import { keepRenewed, nextRenewalMs, type RenewalEvents, type RenewalTimes, validityText } from '../job/renewal.ts';
import type { OidcToken } from '../job/token-request.ts';
import { findToken, openRunJournal, prepareAndWrite } from './run.ts';
import { readConfiguration } from './run-configuration.ts';
import { readRunArguments, type RunArguments } from './run-flags.ts';
import { expiryOf, KEEPER_FLAGS } from './start-keeper.ts';

/** @throws MachineIdError BACKGROUND_NOT_STARTED; what ended the renewals */
export async function keeper(args: readonly string[], world: World): Promise<void> {
  const given = parseFlags(KEEPER_FLAGS, args);
  const text = (name: string) => given.get(name)?.[0] ?? '';
  const name = { kind: 'keeper', name: text('keeper-name') } as const;
  const run = readRunArguments(args, KEEPER_FLAGS);
  const expiresAtMs = Number(text('expires-at-ms'));
  await runBackground(withRememberedInputs(world), name, (background) => keep(run, expiresAtMs, background));
}

async function keep(given: RunArguments, firstExpiresAtMs: number, background: Background): Promise<void> {
  const { ready, world } = background;
  const { clock, signal } = world;
  const keeping = await beginKeeping(given, world);
  const warning = await agentWarning(keeping);
  const reports = openReports(background, firstExpiresAtMs);
  await ready({ ...reports.state(), ...(warning === undefined ? {} : { warning }) });
  try {
    const renewal = { clock, signal, expiresAtMs: firstExpiresAtMs, renew: () => renew(keeping) };
    await keepRenewed({ ...renewal, events: reports });
  } catch (cause) {
    await reports.ended(failureOf(cause, signal));
    throw cause;
  }
}

/** The configuration may be gone when the credentials are renewed, for example with the checkout. */
function withRememberedInputs(world: World): World {
  const texts = new Map<string, Promise<string>>();
  const readInput: Files['readInput'] = (path, limits) => {
    const text = texts.get(path) ?? world.files.readInput(path, limits);
    texts.set(path, text);
    return text;
  };
  // A renewal is not another start, which telemetry counts.
  const environment = { ...world.environment, TELEPORT_ANONYMOUS_TELEMETRY: undefined };
  return { ...world, environment, files: { ...world.files, readInput } };
}

export interface Keeping {
  readonly given: RunArguments;
  readonly first: OidcToken;
  readonly world: World;
}

/** @throws MachineIdError as the start of a run does */
export async function beginKeeping(given: RunArguments, world: World): Promise<Keeping> {
  return { given, world, first: await findToken(given, await configured({ given, world })) };
}

/** A sentence if CircleCI's agent prints no token, which is better known at once than when the first one has expired. */
async function agentWarning(keeping: Keeping): Promise<string | undefined> {
  const { agentRefusals, claims, origin } = await freshToken(keeping, await configured(keeping));
  if (origin === 'agent' || origin === 'command') return undefined;
  return `the credentials can be renewed until ${utcTime(claims.expiresAtMs)} only, because CircleCI's agent prints no new token (${agentRefusals.join('; ')})`;
}

/**
 * The whole run again with a new token, except the exports: paths and names stay the same.
 * @returns when the first of the new credentials expires
 * @throws MachineIdError as a run does
 */
export function renew(keeping: Keeping): Promise<number> {
  const { world } = keeping;
  return withOwnSignal(world.signal, (signal) => runAgain({ ...keeping, world: { ...world, signal } }));
}

async function runAgain(keeping: Keeping): Promise<number> {
  const run = await configured(keeping);
  const token = await freshToken(keeping, run);
  const { failure, outputs } = await prepareAndWrite(keeping.given, { run, token, tokenFile: undefined });
  if (failure !== undefined) throw failure;
  return expiryOf(outputs);
}

function configured({ given, world }: Pick<Keeping, 'given' | 'world'>): Promise<PlannedRun> {
  return readConfiguration(given, openRunJournal(world), world);
}

function freshToken({ first, given, world }: Keeping, { plan }: PlannedRun): Promise<OidcToken> {
  return obtainFreshToken(first, { ...world, variable: given.oidcToken, request: plan.tokenRequest });
}

// What later steps and `cleanup` see.

interface Reports extends RenewalEvents {
  readonly state: () => Payload;
  readonly ended: (error: MachineIdError) => Promise<void>;
}

function openReports({ report, status, world }: Background, firstExpiresAtMs: number): Reports {
  const { clock, files, stderr } = world;
  let times: RenewalTimes = { expiresAtMs: firstExpiresAtMs, nextAtMs: nextRenewalMs(clock.nowMs(), firstExpiresAtMs) };
  let renewals = 0;
  const note = (text: string) => {
    stderr(`${utcTime(clock.nowMs())} ${text}\n`);
  };
  const state = () => ({ ...times, renewals });
  const show = async (problem: string, error: MachineIdError, then: string) => {
    const validity = validityText(times.expiresAtMs, clock.nowMs());
    note(`the credentials ${problem} and ${validity}${then}\n${error.message}`);
    const [first = ''] = error.message.split('\n');
    const text = `the credentials of this job ${problem}, and ${validity}: ${error.code}: ${first}`;
    await writeNotice(files, status, `${text}. ${error.hint}`).catch(() => undefined); // the status has it too
    await report(state(), text);
  };
  return {
    state,
    renewed: async (next) => {
      times = next;
      renewals += 1;
      note(
        `renewed; the credentials ${validityText(next.expiresAtMs, clock.nowMs())}, next at ${utcTime(next.nextAtMs)}`,
      );
      await clearNotice(files, status).catch(() => undefined);
      await report(state());
    },
    failed: (error, next) => {
      times = next;
      return show('could not be renewed', error, `, next attempt at ${utcTime(next.nextAtMs)}`);
    },
    ended: (error) => show('are no longer renewed', error, ''),
  };
}
