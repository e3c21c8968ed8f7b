/** Reads `expected-failures.yaml`. */
import { missing } from '../programs.ts';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';
import * as z from 'zod';

const Reasons = z.array(z.strictObject({ reason: z.string().min(20), cases: z.array(z.string()).min(1) }));
const ExpectedFailures = z.strictObject({ grpc: Reasons, protobuf: Reasons });

/** Names and patterns of the cases that fail, in the form of that suite. */
export function expectedFailures(suite: keyof z.infer<typeof ExpectedFailures>): readonly string[] {
  const text = readFileSync(join(import.meta.dirname, 'expected-failures.yaml'), 'utf8');
  return ExpectedFailures.parse(parse(text))[suite].flatMap(({ cases }) => cases);
}

/** Why a suite is not run here; a machine without access to Go's modules or Debian 13 leaves it to others (`.ci/run`). */
export function withoutRunner(program: string): string | undefined {
  return process.env.CONFORMANCE_SUITES === 'elsewhere' ? `${program} cannot be had here` : missing(program);
}
