/** Decides about a config as CircleCI's policy service does, with the policies compiled by OPA. */
import { readFileSync } from 'node:fs';
import { loadPolicy } from '@open-policy-agent/opa-wasm';
import { gunzipSync } from 'node:zlib';
import { z } from 'zod';
import type { Mapping } from '../job-runner/mapping.ts';

export interface Decision {
  readonly status: 'PASS' | 'HARD_FAIL';
  /** What the user reads, sorted: `rule: reason`. */
  readonly failures: readonly string[];
}

/** `data.meta`: the properties that CircleCI documents. */
export interface PipelineMeta {
  readonly project_id?: string;
  readonly ssh_rerun?: boolean;
  readonly vcs?: {
    readonly branch?: string;
    readonly release_tag?: string;
    readonly origin_repository_url?: string;
    readonly target_repository_url?: string;
  };
}

const Names = z.array(z.string());
/** A rule reports one reason, a list of them, or reasons by id. */
const Reasons = z.union([
  z.string().transform((reason) => [reason]),
  z.array(z.string()),
  z.record(z.string(), z.string()).transform((byId) => Object.values(byId)),
]);
/** Nothing if the rule is undefined, which is what a rule without a violation may be. */
const Results = z.array(z.object({ result: z.unknown() })).max(1);

const policy = await loadPolicy(gunzipSync(readFileSync('test/policies/policies.wasm.gz')));

/** The names in one of the lists that CircleCI reads. */
export function namesIn(list: 'policy_name' | 'enable_rule' | 'hard_fail'): readonly string[] {
  return Names.parse(evaluate({ version: 2.1 }, {}, list)).sort();
}

export function decide(input: Mapping, meta: PipelineMeta): Decision {
  const hard = namesIn('hard_fail');
  const failures = namesIn('enable_rule')
    .filter((rule) => hard.includes(rule))
    .flatMap((rule) => Reasons.parse(evaluate(input, meta, rule) ?? []).map((reason) => `${rule}: ${reason}`));
  return { status: failures.length === 0 ? 'PASS' : 'HARD_FAIL', failures: failures.sort() };
}

function evaluate(input: Mapping, meta: PipelineMeta, rule: string): unknown {
  policy.setData({ meta });
  return Results.parse(policy.evaluate(input, `org/${rule}`))[0]?.result;
}
