/** Parses the object that `--json` prints, strictly. */
import assert from 'node:assert/strict';
import { z } from 'zod';
import type { BundleRun } from './run-bundle.ts';

const Output = z.strictObject({
  path: z.string(),
  type: z.string(),
  destination: z.string(),
  files: z.array(z.string()),
  roles: z.array(z.string()),
  logins: z.array(z.string()).optional(),
  expiresAt: z.iso.datetime(),
  access: z
    .union([
      z.strictObject({ kind: z.literal('aws'), role: z.string(), profile: z.string() }),
      z.strictObject({ kind: z.literal('application'), name: z.string(), address: z.string() }),
      z.strictObject({
        kind: z.literal('database'),
        name: z.string(),
        protocol: z.string(),
        user: z.string().optional(),
        database: z.string().optional(),
      }),
    ])
    .optional(),
  notices: z.array(z.string()).min(1).optional(),
});

const Span = z.strictObject({
  name: z.string(),
  kind: z.enum(['job', 'cluster', 'output']),
  startMs: z.int().nonnegative(),
  endMs: z.int().nonnegative(),
});

const RunResult = z.strictObject({
  cluster: z.string(),
  clusterVersion: z.string(),
  bot: z.string(),
  botInstanceId: z.uuid().optional(),
  auditQuery: z.string().optional(),
  engine: z.enum(['native', 'tbot']),
  joinMethod: z.enum(['circleci', 'generic_oidc']),
  /** Absent if tbot joined. */
  joinPath: z.enum(['join-service', 'legacy']).optional(),
  outputs: z.array(Output),
  timingsMs: z.record(z.string(), z.int().nonnegative()),
  spans: z.array(Span),
});

export type RunResult = z.infer<typeof RunResult>;

/** @throws AssertionError if the run failed or printed anything other than one such object on one line */
export function resultOf({ exitCode, stdout, stderr }: BundleRun): RunResult {
  assert.equal(exitCode, 0, stderr);
  assert.match(stdout, /^\{[^\n]*\}\n$/);
  return RunResult.parse(JSON.parse(stdout));
}
