/** Runs tbot to produce the outputs of a plan, and checks the files that it wrote. */
import { dirname, join } from 'node:path';
import { lengthenedLifetime, shortenedLifetime } from '../auth/issue.ts';
import type { PlannedRun } from '../config/plan.ts';
import { asMachineIdError, locationText, MachineIdError, type Problem } from '../errors.ts';
import { withoutProfile } from '../files/aws-profile.ts';
import { makeDirectory } from '../files/prepare.ts';
import type { PlannedFile } from '../job/manifest.ts';
import { isListed } from '../outputs/identity-files.ts';
import type { WrittenOutput } from '../outputs/result.ts';
import { type Credentials, withExpiryOnly } from '../outputs/read-back.ts';
import { awsProfileOf, filesOf, readCredentials, type SupportedOutput } from '../outputs/outputs.ts';
import type { OutputsRun } from '../outputs/produce.ts';
import { outputLocation } from '../outputs/work.ts';
import { runTbot, type TbotSettings } from './program.ts';
import {
  findModificationTimes,
  findWritten,
  type Found,
  type FoundFile,
  type ModificationTimes,
  type TbotDestination,
} from './written.ts';

export interface TbotResult {
  /** In the outputs' order; each rejection is a MachineIdError TBOT_FAILED. */
  readonly results: readonly PromiseSettledResult<WrittenOutput>[];
  /** From the certificates; undefined if no output has a certificate of the bot. */
  readonly bot: string | undefined;
  /** The error that the run ends with. */
  readonly failure: MachineIdError | undefined;
}

interface Produced {
  readonly output: SupportedOutput;
  /** For the summary. */
  readonly displayPath: string;
  /** Undefined when nothing is written to disk. */
  readonly found: Found | undefined;
}

/** @throws MachineIdError TBOT_MISSING */
export async function produceWithTbot(run: PlannedRun, settings: TbotSettings): Promise<TbotResult> {
  const { clock } = run.world;
  await makeFolders(run);
  const places = await Promise.all(run.outputs.map((output) => openOutput(output, run)));
  const startedMs = clock.nowMs();
  const [ended] = await Promise.allSettled([run.journal.step('tbot', () => runTbot(run, settings))]);
  // After a failure too, so that cleanup finds the files that tbot left.
  const produced = await Promise.all(places.map((place) => find(place, run)));
  await run.record.files(produced.flatMap(({ found, output }) => (found?.files ?? []).map(planned(output))));
  const { problems, ...checks } = await checked(produced, startedMs, clock.nowMs());
  if (ended.status === 'rejected') {
    run.world.signal.throwIfAborted();
    const failure = asMachineIdError(ended.reason);
    if (failure.code !== 'TBOT_FAILED') throw failure;
    return { ...checks, failure };
  }
  run.journal.outputDone('write', 'tbot has ended');
  return { ...checks, failure: problems.length > 0 ? incomplete(problems) : undefined };
}

/** The folders that tbot would create inside a destination. They are created here, so that cleanup knows them. */
async function makeFolders(run: OutputsRun): Promise<void> {
  for (const output of run.outputs) {
    const { directory } = outputLocation(output.destination, run);
    if (directory === undefined) continue;
    const folders = new Set(filesOf(output).required.map((name) => join(directory, dirname(name))));
    folders.delete(directory);
    for (const folder of folders) await makeDirectory(run.world.files, folder, run.record);
  }
}

interface OpenOutput {
  readonly output: SupportedOutput;
  readonly displayPath: string;
  /** Undefined when nothing is written to disk. */
  readonly onDisk: { readonly place: TbotDestination; readonly before: ModificationTimes } | undefined;
}

async function openOutput(output: SupportedOutput, run: OutputsRun): Promise<OpenOutput> {
  const { directory, settings, displayPath } = outputLocation(output.destination, run);
  if (directory === undefined || settings === undefined) return { output, displayPath, onDisk: undefined };
  const place = { directory, destination: settings };
  return {
    output,
    displayPath,
    onDisk: { place, before: await findModificationTimes(output, place, run.world.files) },
  };
}

async function find({ onDisk, output, displayPath }: OpenOutput, { world: { files } }: OutputsRun): Promise<Produced> {
  const found = onDisk === undefined ? undefined : await findWritten(output, onDisk.place, onDisk.before, files);
  return { output, displayPath, found };
}

/** A file of AWS profiles can contain others that are not from this run. */
function planned(output: SupportedOutput): (file: FoundFile) => PlannedFile {
  return ({ contents, path }) => {
    const profile = awsProfileOf(output);
    const shared = profile !== undefined && withoutProfile(contents, profile) !== '';
    return { path, contents, temporaries: [], awsProfile: shared ? profile : undefined };
  };
}

interface Checked extends Omit<TbotResult, 'failure'> {
  readonly problems: readonly Problem[];
}

async function checked(produced: readonly Produced[], startedMs: number, nowMs: number): Promise<Checked> {
  const problems: Problem[] = [];
  let bot: string | undefined;
  const all = await Promise.all(produced.map(async (one) => ({ one, result: await check(one, nowMs) })));
  const results = all.map(({ one, result }): PromiseSettledResult<WrittenOutput> => {
    if ('problems' in result) {
      const own = result.problems.map((message) => ({ ...placement(one.output), message }));
      problems.push(...own);
      return { status: 'rejected', reason: outputFailure(own) };
    }
    bot ??= result.bot;
    return { status: 'fulfilled', value: written(one, result, startedMs) };
  });
  return { results, bot, problems };
}

function outputFailure(problems: readonly Problem[]): MachineIdError {
  return new MachineIdError('TBOT_FAILED', problems.map(({ message }) => message).join('; '), { hint: MISSING_HINT });
}

async function check(
  { found, output, displayPath }: Produced,
  nowMs: number,
): Promise<Credentials | { readonly problems: readonly string[] }> {
  if (found === undefined) return withExpiryOnly(nowMs + output.ttlMs);
  if (found.problems.length > 0) return { problems: found.problems };
  try {
    const contents = new Map(found.files.map((file) => [file.name, file.contents]));
    return await readCredentials(output, { contents, nowMs });
  } catch (error) {
    return { problems: [join(displayPath, asMachineIdError(error).message)] };
  }
}

function written({ found, output, displayPath }: Produced, credentials: Credentials, startedMs: number): WrittenOutput {
  const { access, expiresAtMs, kubeconfig, logins, notices = [], roles } = credentials;
  const limit = roles === undefined ? 'by its own rules' : 'max_session_ttl of the roles';
  const askedMs = startedMs + output.ttlMs;
  const lifetime =
    access?.kind === 'aws'
      ? []
      : [shortenedLifetime(askedMs, expiresAtMs, limit), lengthenedLifetime(askedMs, expiresAtMs)];
  return {
    path: output.path,
    type: output.type,
    destination: displayPath,
    files: (found?.files ?? []).map(({ name }) => name).filter(isListed),
    roles: roles ?? output.roles,
    logins,
    kubeconfig,
    expiresAtMs,
    access,
    notices: [...lifetime.filter((notice) => notice !== undefined), ...notices],
  };
}

function placement({ line, path }: SupportedOutput): Pick<Problem, 'path' | 'line'> {
  return { path, ...(line === undefined ? {} : { line }) };
}

const MISSING_HINT = 'See the output of tbot above. A tbot that does not fit the cluster or the file can skip outputs.';

function incomplete(problems: readonly Problem[]): MachineIdError {
  const lines = problems.map((problem) => `${locationText(problem)}: ${problem.message}`);
  return new MachineIdError('TBOT_FAILED', 'tbot ended without an error, but', {
    lines,
    hint: MISSING_HINT,
    problems,
  });
}
