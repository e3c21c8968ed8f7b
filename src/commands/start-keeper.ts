/** `run --refresh`: starts the keeper, the process that renews the credentials of a run for as long as the job lives. */
import { dirname } from 'node:path';
import type { Flag, GivenFlags } from '../cli/flags.ts';
import { flagsOf } from '../cli/flags.ts';
import type { Declarations } from '../config/declaration.ts';
import type { PlannedRun } from '../config/plan.ts';
import { sha256Hex } from '../crypto/digest.ts';
import { utcTime } from '../crypto/validity.ts';
import type { World } from '../effects/world.ts';
import { appendLines } from '../job/bash-env.ts';
import { listBackground, requireBackground, startBackground } from '../job/background.ts';
import { noticeLines } from '../job/keeper-notice.ts';
import type { WrittenOutput } from '../outputs/result.ts';
import { RUN_FLAGS, type RunArguments } from './run-flags.ts';

/** Of the internal command, beside the flags of `run`. */
export const KEEPER = {
  name: { flag: 'keeper-name', value: 'NAME', help: 'Identifies the destinations.' },
  expiresAt: { flag: 'expires-at-ms', value: 'MS', help: 'When the credentials expire.' },
} as const satisfies Declarations;

export const KEEPER_FLAGS: readonly Flag[] = [...RUN_FLAGS, ...flagsOf(KEEPER)];

/** Flags of the run that the keeper does not get: what concerns the step alone. */
const OF_THE_STEP: readonly string[] = ['refresh', 'report', 'json', 'no-export', 'token-file'];

const READY_TIMEOUT_MS = 60_000;

/** @throws MachineIdError BACKGROUND_NOT_STARTED where there can be no keeper; call it before the run joins */
export function requireKeeper(world: World): void {
  requireBackground(world, 'keeper');
}

/**
 * A keeper of the same destinations, from an earlier run of the job, is replaced.
 * @param exportPath where later steps get the keeper's notices; undefined if nothing is exported
 * @throws MachineIdError BACKGROUND_NOT_STARTED, or the error of the keeper
 */
export async function startKeeper(
  { given }: RunArguments,
  outputs: readonly WrittenOutput[],
  { journal, record, world }: PlannedRun,
  exportPath: string | undefined,
): Promise<void> {
  const kept = outputs.filter(({ destination }) => destination !== 'memory');
  if (kept.length === 0) {
    journal.warn('--refresh has no effect, because no output is written to a folder');
    return;
  }
  const name = sha256Hex(kept.map(({ destination }) => destination).join('\n')).slice(0, 12);
  const expiresAtMs = expiryOf(kept);
  const args = ['keeper', `--keeper-name=${name}`, `--expires-at-ms=${expiresAtMs}`, '--no-export', ...passedOn(given)];
  const { nextAtMs, warning } = await startBackground(world, {
    kind: 'keeper',
    name,
    args,
    readyTimeoutMs: READY_TIMEOUT_MS,
  });
  const keeper = (await listBackground(world)).find((one) => one.kind === 'keeper' && one.name === name);
  if (typeof warning === 'string') journal.warn(warning);
  if (keeper === undefined) return;
  const next = typeof nextAtMs === 'number' ? `, next at ${utcTime(nextAtMs)}` : '';
  journal.info(
    `process ${keeper.processId} renews the credentials until the job ends${next}; its log is in ${dirname(keeper.entry.log)}`,
  );
  if (exportPath === undefined) return;
  const lines = noticeLines(keeper.entry.status);
  await record.exports(exportPath, lines);
  await appendLines(world.files, exportPath, lines);
}

/** When the first of them expires. */
export function expiryOf(outputs: readonly WrittenOutput[]): number {
  return Math.min(...outputs.map(({ expiresAtMs }) => expiresAtMs));
}

function passedOn(given: GivenFlags): readonly string[] {
  return [...given].flatMap(([name, values]) => {
    if (OF_THE_STEP.includes(name)) return [];
    const isSwitch = RUN_FLAGS.find((flag) => flag.name === name)?.value === undefined;
    return values.map((value) => (isSwitch ? `--${name}` : `--${name}=${value}`));
  });
}
