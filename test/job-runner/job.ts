/** Compiles one job of a config: executor, environment and steps, every parameter resolved. */
import { parse } from 'yaml';
import { ConfigError } from './config-error.ts';
import { resolveEnvironment } from './environment.ts';
import { wholeExpression } from './expressions.ts';
import type { Values } from './expressions.ts';
import { resolveExecutor } from './executor.ts';
import { withOrbs } from './inline-orb.ts';
import { invocationOf } from './invocation.ts';
import { list, mapping, requireKeys } from './mapping.ts';
import { resolveParameters } from './parameters.ts';
import { pipelineValues } from './pipeline.ts';
import type { PipelineValues } from './pipeline.ts';
import { find, scopeOf } from './scope.ts';
import { setting } from './setting.ts';
import { argumentReader, expandSteps } from './steps.ts';
import type { ResolvedStep } from './steps.ts';

export interface ResolvedJob {
  readonly name: string;
  readonly environment: Readonly<Record<string, string>>;
  readonly workingDirectory: string | undefined;
  readonly shell: string | undefined;
  readonly steps: readonly ResolvedStep[];
}

export interface JobQuestion {
  /** A CircleCI 2.1 config. */
  readonly config: string;
  /** Texts of the orbs that the config uses without containing them. */
  readonly orbs?: Readonly<Record<string, string>> | undefined;
  /** Name of a job, or the name that a workflow gives it. */
  readonly job: string;
  readonly pipeline?: PipelineValues | undefined;
}

const JOB_KEYS = ['description', 'parameters', 'parallelism', 'circleci_ip_ranges', 'steps', 'environment'];
const RUNTIME_KEYS = ['executor', 'docker', 'machine', 'macos', 'resource_class', 'working_directory', 'shell'];

/** @throws ConfigError if CircleCI would not compile the config, or if this runner does not support it */
export function resolveJob({ config, orbs = {}, job: name, pipeline = {} }: JobQuestion): ResolvedJob {
  // CircleCI reads YAML 1.1: `yes` is a boolean and `<<` merges.
  const document = withOrbs(mapping(parse(config, { version: '1.1' }), 'config'), orbs);
  if (document.version !== 2.1) throw new ConfigError('config', 'version must be 2.1');
  const outside = scopeOf(document, 'config');
  const top: Values = {
    parameters: new Map(),
    pipeline: pipelineValues(document.parameters, pipeline, outside),
  };

  const invocation = invocationOf(document, name);
  const { definition, scope } = find(outside, 'jobs', invocation.job, 'config.jobs');
  const where = `jobs.${invocation.job}`;
  requireKeys(definition, [...JOB_KEYS, ...RUNTIME_KEYS], where);
  const parameters = resolveParameters(definition.parameters, invocation.given, where, {
    given: argumentReader(outside, top),
    defaults: argumentReader(scope, top),
  });
  const values: Values = { parameters, pipeline: top.pipeline };
  requireKind(definition.parallelism ?? 1, values, `${where}.parallelism`, 'number');
  requireKind(definition.circleci_ip_ranges ?? false, values, `${where}.circleci_ip_ranges`, 'boolean');
  const executor = resolveExecutor(definition, [scope, outside], values, where);
  return {
    name: invocation.name,
    environment: {
      ...executor.environment,
      ...resolveEnvironment(definition.environment, values, `${where}.environment`),
    },
    workingDirectory: setting(definition, 'working_directory', values, where) ?? executor.workingDirectory,
    shell: setting(definition, 'shell', values, where) ?? executor.shell,
    steps: [
      ...expandSteps(invocation.preSteps, outside, top, 'pre-steps'),
      ...expandSteps(list(definition.steps, `${where}.steps`), scope, values, `${where}.steps`),
      ...expandSteps(invocation.postSteps, outside, top, 'post-steps'),
    ],
  };
}

/** This runner is always the first of several containers. */
function requireKind(value: unknown, values: Values, where: string, kind: 'number' | 'boolean'): void {
  const found = wholeExpression(value, values, where) ?? value;
  if (typeof found !== kind) throw new ConfigError(where, `must be a ${kind}`);
}
