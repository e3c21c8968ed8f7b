/** The values that `<< pipeline.x >>` can refer to. */
import type { Mapping } from './mapping.ts';
import { resolveParameters } from './parameters.ts';
import type { ParameterValue } from './parameters.ts';
import type { Scope } from './scope.ts';
import { argumentReader } from './steps.ts';

/** By the name after `pipeline.`, such as `git.branch` or `parameters.environment`. */
export type PipelineValues = Readonly<Record<string, string | number | boolean>>;

const PARAMETERS = 'parameters.';

/** The given values, and the defaults of the pipeline parameters that the config declares. */
export function pipelineValues(
  declared: unknown,
  given: PipelineValues,
  scope: Scope,
): ReadonlyMap<string, ParameterValue> {
  const reader = argumentReader(scope, { parameters: new Map(), pipeline: new Map() });
  const parameters = resolveParameters(declared, parametersOf(given), 'pipeline.parameters', {
    given: reader,
    defaults: reader,
  });
  const values = new Map<string, ParameterValue>(Object.entries(given));
  for (const [name, value] of parameters) values.set(`${PARAMETERS}${name}`, value);
  return values;
}

function parametersOf(given: PipelineValues): Mapping {
  return Object.fromEntries(
    Object.entries(given)
      .filter(([name]) => name.startsWith(PARAMETERS))
      .map(([name, value]) => [name.slice(PARAMETERS.length), value]),
  );
}
