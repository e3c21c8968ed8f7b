/** Lets tbot itself produce the outputs of a plan, and checks what it has written. */
import { join } from 'node:path';
import { lengthenedLifetime, shortenedLifetime } from '../certs/lifetime.ts';
import { noLoginNotice } from '../certs/logins.ts';
import type { SupportedOutput } from '../config/supported.ts';
import { asMachineIdError, type Fault, MachineIdError, placeText } from '../errors.ts';
import { isListed } from '../outputs/key-files.ts';
import { withoutProfile } from '../outputs/aws-credentials.ts';
import { makeDirectory } from '../outputs/prepare-directory.ts';
import type { PlannedFile } from '../outputs/write-record.ts';
import type { RunContext } from './context.ts';
import { placeOf } from './place.ts';
import type { WrittenOutput } from './result.ts';
import { type Credentials, readCredentials } from './tbot-credentials.ts';
import { type Found, type FoundFile, findStanding, findWritten, type Standing, type TbotPlace } from './tbot-found.ts';
import { runTbot, type TbotSettings } from './tbot-program.ts';

export interface TbotResult {
  /** In the outputs' order; each rejection is a MachineIdError TBOT_FAILED. */
  readonly results: readonly PromiseSettledResult<WrittenOutput>[];
  /** As the certificates name it; undefined when no output has one of the bot's. */
  readonly bot: string | undefined;
  /** What the run ends with. */
  readonly failure: MachineIdError | undefined;
}

interface Produced {
  readonly output: SupportedOutput;
  /** For the summary. */
  readonly shown: string;
  /** Undefined when nothing is written to disk. */
  readonly found: Found | undefined;
}

/** @throws MachineIdError TBOT_MISSING */
export async function produceByTbot(run: RunContext, settings: TbotSettings): Promise<TbotResult> {
  const { clock } = run.world;
  await makeFolders(run);
  const places = await Promise.all(run.outputs.map((output) => openPlace(output, run)));
  const startedMs = clock.nowMs();
  const [ended] = await Promise.allSettled([run.account.during('cluster', 'tbot', () => runTbot(run, settings))]);
  // Of a run that failed too, so that cleanup finds what it has left.
  const produced = await Promise.all(places.map((place) => find(place, run)));
  await run.record.files(produced.flatMap(({ found, output }) => (found?.files ?? []).map(planned(output))));
  const { faults, ...checks } = checked(produced, startedMs, clock.nowMs());
  if (ended.status === 'rejected') {
    run.world.signal.throwIfAborted();
    const failure = asMachineIdError(ended.reason);
    if (failure.code !== 'TBOT_FAILED') throw failure;
    return { ...checks, failure };
  }
  run.progress.done('write', 'tbot has ended');
  return { ...checks, failure: faults.length > 0 ? incomplete(faults) : undefined };
}

/** The one folder that tbot would make inside a destination: made here, it is known to cleanup. */
async function makeFolders(run: RunContext): Promise<void> {
  for (const output of run.outputs) {
    const { directory } = placeOf(output.destination, run);
    if (output.type !== 'database' || output.format !== 'cockroach' || directory === undefined) continue;
    await makeDirectory(run.world.files, join(directory, 'cockroach'), run.record);
  }
}

interface OpenPlace {
  readonly output: SupportedOutput;
  readonly shown: string;
  /** Undefined when nothing is written to disk. */
  readonly onDisk: { readonly place: TbotPlace; readonly before: Standing } | undefined;
}

async function openPlace(output: SupportedOutput, run: RunContext): Promise<OpenPlace> {
  const { directory, settings, shown } = placeOf(output.destination, run);
  if (directory === undefined || settings === undefined) return { output, shown, onDisk: undefined };
  const place = { directory, destination: settings };
  return { output, shown, onDisk: { place, before: await findStanding(output, place, run.world.files) } };
}

async function find({ onDisk, output, shown }: OpenPlace, { world: { files } }: RunContext): Promise<Produced> {
  const found = onDisk === undefined ? undefined : await findWritten(output, onDisk.place, onDisk.before, files);
  return { output, shown, found };
}

/** Credentials of AWS may stand in a file with those of others. */
function planned(output: SupportedOutput): (file: FoundFile) => PlannedFile {
  return ({ contents, path }) => {
    const profile = output.type === 'workload-identity-aws-roles-anywhere' ? output.credentialProfileName : undefined;
    const shared = profile !== undefined && withoutProfile(contents, profile) !== '';
    return { path, contents, temporaries: [], awsProfile: shared ? profile : undefined };
  };
}

interface Checked extends Omit<TbotResult, 'failure'> {
  readonly faults: readonly Fault[];
}

function checked(produced: readonly Produced[], startedMs: number, nowMs: number): Checked {
  const faults: Fault[] = [];
  let bot: string | undefined;
  const results = produced.map((one): PromiseSettledResult<WrittenOutput> => {
    const result = check(one, nowMs);
    if ('faults' in result) {
      const own = result.faults.map((message) => ({ ...placement(one.output), message }));
      faults.push(...own);
      return { status: 'rejected', reason: outputFailure(own) };
    }
    bot ??= result.bot;
    return { status: 'fulfilled', value: written(one, result, startedMs) };
  });
  return { results, bot, faults };
}

function outputFailure(faults: readonly Fault[]): MachineIdError {
  return new MachineIdError('TBOT_FAILED', faults.map(({ message }) => message).join('; '), { hint: MISSING_HINT });
}

function check(
  { found, output, shown }: Produced,
  nowMs: number,
): Credentials | { readonly faults: readonly string[] } {
  if (found === undefined) {
    return {
      expiresAtMs: nowMs + output.ttlMs,
      roles: undefined,
      logins: undefined,
      kubeconfig: undefined,
      bot: undefined,
      access: undefined,
    };
  }
  if (found.faults.length > 0) return { faults: found.faults };
  try {
    const contents = new Map(found.files.map((file) => [file.name, file.contents]));
    return readCredentials(output, { contents, nowMs });
  } catch (error) {
    return { faults: [join(shown, asMachineIdError(error).message)] };
  }
}

function written({ found, output, shown }: Produced, credentials: Credentials, startedMs: number): WrittenOutput {
  const { access, bot, expiresAtMs, kubeconfig, logins, roles } = credentials;
  const limit = roles === undefined ? 'by its own rules' : 'max_session_ttl of the roles';
  const askedMs = startedMs + output.ttlMs;
  const notices =
    access?.kind === 'aws'
      ? []
      : [shortenedLifetime(askedMs, expiresAtMs, limit), lengthenedLifetime(askedMs, expiresAtMs)];
  const noLogin =
    output.type === 'identity' && output.sshConfig && logins !== undefined
      ? noLoginNotice(logins, { roles: roles ?? [], botName: bot })
      : undefined;
  return {
    path: output.path,
    type: output.type,
    destination: shown,
    files: (found?.files ?? []).map(({ name }) => name).filter(isListed),
    roles: roles ?? output.roles,
    logins,
    kubeconfig,
    expiresAtMs,
    access,
    notices: [...notices, noLogin].filter((notice) => notice !== undefined),
  };
}

function placement({ line, path }: SupportedOutput): Pick<Fault, 'path' | 'line'> {
  return { path, ...(line === undefined ? {} : { line }) };
}

const MISSING_HINT = 'See what tbot said above. A tbot that does not fit the cluster or the file leaves outputs out.';

function incomplete(faults: readonly Fault[]): MachineIdError {
  const lines = faults.map((fault) => `${placeText(fault)}: ${fault.message}`);
  return new MachineIdError('TBOT_FAILED', 'tbot ended without an error, but', {
    lines,
    hint: MISSING_HINT,
    faults,
  });
}
