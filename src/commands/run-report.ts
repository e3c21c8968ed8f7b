/** `run --report`: the page about the run, also about one that failed. */
import { resolve } from 'node:path';
import { createLog } from '../effects/log.ts';
import type { World } from '../effects/world.ts';
import { asMachineIdError, failureOf, type MachineIdError } from '../errors.ts';
import { writePublishedFile } from '../outputs/published-file.ts';
import type { Account } from '../produce/account.ts';
import type { Engine } from '../produce/result.ts';
import { runPage } from '../report/run-page.ts';
import { withProxyCause } from '../teleport/proxy-variables.ts';
import { stderrStyle } from './stderr-style.ts';
import { VERSION } from '../effects/version.ts';

export interface ReportedRun {
  readonly engine: Engine;
  readonly account: Account;
}

/** The run ends as it would without a report: one that cannot be written is a warning. */
export async function withReport(
  file: string,
  run: ReportedRun,
  world: World,
  work: () => Promise<void>,
): Promise<void> {
  let failure: MachineIdError | undefined;
  try {
    await work();
  } catch (error) {
    failure = withProxyCause(failureOf(error, world.signal), world.environment);
    throw error;
  } finally {
    await writeReport(file, run, failure, world);
  }
}

async function writeReport(
  file: string,
  { account, engine }: ReportedRun,
  failure: MachineIdError | undefined,
  world: World,
): Promise<void> {
  const { clock, files, mask, workingDirectory } = world;
  const path = resolve(workingDirectory, file);
  const page = runPage({
    version: VERSION,
    engine,
    writtenAtMs: clock.nowMs(),
    facts: account.facts(),
    spans: account.spans(),
    totalMs: account.totalMs(),
    failure,
  });
  try {
    await writePublishedFile(files, path, mask.apply(page));
  } catch (error) {
    warn(`the report was not written: ${asMachineIdError(error).message}`, account, world);
  }
}

/** The run may have failed before it had a log. */
function warn(message: string, account: Account, world: World): void {
  const { debug = false, logFormat: format = 'text' } = account.facts().plan ?? {};
  createLog(world.stderr, { format, debug, nowMs: () => world.clock.nowMs(), style: stderrStyle(world) }).warn(message);
}
