/** Asserts what a failed run must show, and what it must not change. */
import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { z } from 'zod';
import type { ErrorCode } from '../../src/errors.ts';
import { rowFor } from '../docs/answers.ts';
import { listing, placeStandingFiles } from './folder-listing.ts';
import type { Job, RunChanges } from './job.ts';
import type { BundleRun } from './run-bundle.ts';

export interface Refusal {
  readonly code: ErrorCode;
  /** The fact that the message contains. */
  readonly says: RegExp;
  /** What the hint refers to. */
  readonly hint?: RegExp;
}

/** Invalid input exits with 2, everything else with 1. */
const WRONG_INPUT: readonly ErrorCode[] = [
  'USAGE_INVALID',
  'CONFIG_UNREADABLE',
  'CONFIG_INVALID',
  'OUTPUT_UNSUPPORTED',
  'SCOPES_UNSUPPORTED',
  'CA_FILE_INVALID',
];

/** Codes of the steps before the first output. */
const BEFORE_OUTPUTS = /^(?:OIDC_TOKEN|JOIN|PROXY|BASH_ENV)_/;

/**
 * Codes of problems that the program detects itself, in words that a cluster may use too, and the code for several
 * failures.
 */
const OF_ITS_OWN = /^OIDC_TOKEN_|^OUTPUTS_FAILED$/;

export interface ErrorReport {
  readonly message: string;
  readonly hint: string;
  readonly code: string;
}

/** @throws AssertionError if the run did not end with an error report */
export function errorReport({ stderr }: BundleRun): ErrorReport {
  const [, message, hint, code] = /^error: ([^]*?)\nhint: (.+)\ncode: (\w+)$/m.exec(stderr) ?? [];
  assert.ok(
    message !== undefined && hint !== undefined && code !== undefined,
    `no error with hint and code in:\n${stderr}`,
  );
  return { message, hint, code };
}

export function assertRefused(run: BundleRun, { code, says, hint = /\w/ }: Refusal): void {
  const report = errorReport(run);
  assert.equal(report.code, code, run.stderr);
  assert.match(report.message, says);
  // The row of the documents for this response contains the code of the run.
  const row = OF_ITS_OWN.test(code) ? undefined : rowFor(report.message);
  assert.ok(
    row === undefined || row.code.includes(code),
    `documented: ${row?.answer ?? ''} is ${row?.code ?? ''}, not ${code}`,
  );
  assert.match(report.hint, hint);
  assert.equal(run.exitCode, WRONG_INPUT.includes(code) ? 2 : 1);
  // With --json, a run with failed outputs reports the written ones; a run that failed before its outputs prints
  // nothing.
  if (WRONG_INPUT.includes(code) || BEFORE_OUTPUTS.test(code)) assert.equal(run.stdout, '');
  else if (run.stdout !== '')
    z.object({ failures: z.array(z.object({ hint: z.string() })).min(1) }).parse(JSON.parse(run.stdout));
}

/** Runs over the files of an earlier run, and asserts that these and `$BASH_ENV` are unchanged. */
export async function assertRunRefused(
  job: Job,
  refusal: Refusal,
  { args = job.flags, changes }: { readonly args?: readonly string[]; readonly changes?: RunChanges } = {},
): Promise<BundleRun> {
  await placeStandingFiles(job.destination);
  await writeFile(job.bashEnv, 'export OTHER=1\n', { mode: 0o600 });
  const before = await listing(job.folder);
  // --debug prints the most, so it would show any leaked secret.
  const run = await job.run(args, { ...changes, environment: { TBOT_DEBUG: 'true', ...changes?.environment } });
  assertRefused(run, refusal);
  assert.deepEqual(await listing(job.folder), before);
  return run;
}
