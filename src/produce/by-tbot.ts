/** Lets tbot itself produce the outputs of a plan, and checks what it has written. */
import { join } from 'node:path';
import { lengthenedLifetime, shortenedLifetime } from '../certs/lifetime.ts';
import type { SupportedOutput } from '../config/supported.ts';
import { asMachineIdError, type Fault, MachineIdError } from '../errors.ts';
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
  readonly outputs: readonly WrittenOutput[];
  /** As the certificates name it; undefined when no output has one of the bot's. */
  readonly bot: string | undefined;
}

interface Produced {
  readonly output: SupportedOutput;
  /** For the summary. */
  readonly shown: string;
  /** Undefined when nothing is written to disk. */
  readonly found: Found | undefined;
}

/** @throws MachineIdError TBOT_MISSING, TBOT_FAILED with every fault of every output */
export async function produceByTbot(run: RunContext, settings: TbotSettings): Promise<TbotResult> {
  const { clock } = run.world;
  await makeFolders(run);
  const places = await Promise.all(run.outputs.map((output) => openPlace(output, run)));
  const startedMs = clock.nowMs();
  const [ended] = await Promise.allSettled([run.account.during('cluster', 'tbot', () => runTbot(run, settings))]);
  // Of a run that failed too, so that cleanup finds what it has left.
  const produced = await Promise.all(places.map((place) => find(place, run)));
  await run.record.files(produced.flatMap(({ found, output }) => (found?.files ?? []).map(planned(output))));
  if (ended.status === 'rejected') throw ended.reason;
  run.progress.done('write', 'tbot has ended');
  return checked(produced, startedMs, clock.nowMs());
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

function checked(produced: readonly Produced[], startedMs: number, nowMs: number): TbotResult {
  const faults: Fault[] = [];
  const outputs: WrittenOutput[] = [];
  let bot: string | undefined;
  for (const one of produced) {
    const result = check(one, nowMs);
    if ('faults' in result) {
      faults.push(...result.faults.map((message) => ({ ...placement(one.output), message })));
      continue;
    }
    bot ??= result.bot;
    outputs.push(written(one, result, startedMs));
  }
  if (faults.length > 0) throw incomplete(faults);
  return { outputs, bot };
}

function check(
  { found, output, shown }: Produced,
  nowMs: number,
): Credentials | { readonly faults: readonly string[] } {
  if (found === undefined) {
    return { expiresAtMs: nowMs + output.ttlMs, roles: undefined, bot: undefined, access: undefined };
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
  const { access, expiresAtMs, roles } = credentials;
  const limit = roles === undefined ? 'by its own rules' : 'max_session_ttl of the roles';
  const askedMs = startedMs + output.ttlMs;
  const notices =
    access?.kind === 'aws'
      ? []
      : [shortenedLifetime(askedMs, expiresAtMs, limit), lengthenedLifetime(askedMs, expiresAtMs)];
  return {
    type: output.type,
    destination: shown,
    files: (found?.files ?? []).map(({ name }) => name),
    roles: roles ?? output.roles,
    expiresAtMs,
    access,
    notices: notices.filter((notice) => notice !== undefined),
  };
}

function placement({ line, path }: SupportedOutput): Pick<Fault, 'path' | 'line'> {
  return { path, ...(line === undefined ? {} : { line }) };
}

function incomplete(faults: readonly Fault[]): MachineIdError {
  const lines = faults.map(({ message, path }) => `${path}: ${message}`);
  return new MachineIdError('TBOT_FAILED', 'tbot ended without an error, but', {
    lines,
    hint: 'See what tbot said above. A tbot that does not fit the cluster or the file leaves outputs out.',
    faults,
  });
}
