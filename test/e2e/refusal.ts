/** What a run that ends in an error must show, and must leave alone. */
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
  /** The fact that the message names. */
  readonly says: RegExp;
  /** What the hint points at. */
  readonly hint?: RegExp;
}

/** Wrong input ends with 2, everything else with 1. */
const WRONG_INPUT: readonly ErrorCode[] = [
  'USAGE_INVALID',
  'CONFIG_UNREADABLE',
  'CONFIG_INVALID',
  'OUTPUT_UNSUPPORTED',
  'SCOPES_UNSUPPORTED',
  'CA_FILE_INVALID',
];

/** Of the steps before the first output. */
const BEFORE_OUTPUTS = /^(?:OIDC_TOKEN|JOIN|PROXY|BASH_ENV)_/;

/** What the program finds itself, in words that a cluster may use too, and the list of several failures. */
const OF_ITS_OWN = /^OIDC_TOKEN_|^OUTPUTS_FAILED$/;

export interface ErrorReport {
  readonly message: string;
  readonly hint: string;
  readonly code: string;
}

/** @throws AssertionError when the run did not end with an error's report */
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
  // The documents' row for this response names the code that the program ended with.
  const row = OF_ITS_OWN.test(code) ? undefined : rowFor(report.message);
  assert.ok(
    row === undefined || row.code.includes(code),
    `documented: ${row?.answer ?? ''} is ${row?.code ?? ''}, not ${code}`,
  );
  assert.match(report.hint, hint);
  assert.equal(run.exitCode, WRONG_INPUT.includes(code) ? 2 : 1);
  // With --json, a run whose outputs failed says what was written; one that did not come to its outputs prints nothing.
  if (WRONG_INPUT.includes(code) || BEFORE_OUTPUTS.test(code)) assert.equal(run.stdout, '');
  else if (run.stdout !== '')
    z.object({ failures: z.array(z.object({ hint: z.string() })).min(1) }).parse(JSON.parse(run.stdout));
}

/** Runs over the files of an earlier run, and proves that they and `$BASH_ENV` stand afterwards as they did. */
export async function assertRunRefused(
  job: Job,
  refusal: Refusal,
  { args = job.flags, changes }: { readonly args?: readonly string[]; readonly changes?: RunChanges } = {},
): Promise<BundleRun> {
  await placeStandingFiles(job.destination);
  await writeFile(job.bashEnv, 'export OTHER=1\n', { mode: 0o600 });
  const before = await listing(job.folder);
  // Debugging prints the most, so that whatever leaks a secret does it here.
  const run = await job.run(args, { ...changes, environment: { TBOT_DEBUG: 'true', ...changes?.environment } });
  assertRefused(run, refusal);
  assert.deepEqual(await listing(job.folder), before);
  return run;
}
