/** Resolves the executor of a job. Only what affects the steps is used, because everything runs on this machine. */
import { ConfigError } from './config-error.ts';
import { resolveEnvironment } from './environment.ts';
import { substitute } from './expressions.ts';
import type { Values } from './expressions.ts';
import { setting } from './setting.ts';
import { isMapping, list, mapping, requireKeys, text } from './mapping.ts';
import type { Mapping } from './mapping.ts';
import { resolveParameters } from './parameters.ts';
import { declares, find } from './scope.ts';
import type { Scope } from './scope.ts';
import { argumentReader } from './steps.ts';

export interface Executor {
  readonly environment: Readonly<Record<string, string>>;
  readonly workingDirectory: string | undefined;
  readonly shell: string | undefined;
}

const KINDS = ['docker', 'machine', 'macos'];
const KEYS = [...KINDS, 'description', 'parameters', 'environment', 'working_directory', 'shell', 'resource_class'];

/**
 * A job names an executor or contains its settings.
 * @param scopes where the name may be declared: the job's own scope first, then that of the config, which may have
 * passed the name
 */
export function resolveExecutor(job: Mapping, scopes: readonly Scope[], values: Values, where: string): Executor {
  const { executor } = job;
  if (executor === undefined) {
    requireImage(job, where);
    return { environment: {}, workingDirectory: undefined, shell: undefined };
  }
  const chosen = substitute(executor, values, `${where}.executor`);
  const { name, ...given } = isMapping(chosen) ? chosen : { name: chosen };
  const wanted = text(name, `${where}.executor`);
  const scope = scopes.find((one) => declares(one, 'executors', wanted));
  if (scope === undefined) throw new ConfigError(where, `there is no executor named ${wanted}`);
  return namedExecutor(wanted, given, scope, values);
}

function namedExecutor(name: string, given: Mapping, scope: Scope, { pipeline }: Values): Executor {
  const where = `executors.${name}`;
  const { definition, scope: inside } = find(scope, 'executors', name, where);
  requireKeys(definition, KEYS, where);
  const reader = argumentReader(inside, { parameters: new Map(), pipeline });
  const parameters = resolveParameters(definition.parameters, given, where, { given: reader, defaults: reader });
  const values: Values = { parameters, pipeline };
  requireImage(mapping(substitute(definition, values, where), where), where);
  return {
    environment: resolveEnvironment(definition.environment, values, `${where}.environment`),
    workingDirectory: setting(definition, 'working_directory', values, where),
    shell: setting(definition, 'shell', values, where),
  };
}

/** Ignored: further images are services, and the environment of an image is set inside it; neither exists here. */
function requireImage(definition: Mapping, where: string): void {
  const kinds = KINDS.filter((kind) => kind in definition);
  if (kinds.length !== 1) throw new ConfigError(where, `needs exactly one of ${KINDS.join(', ')} or an executor`);
  if (definition.docker === undefined) return;
  const [image, ...services] = list(definition.docker, `${where}.docker`);
  requireKeys(mapping(image, `${where}.docker`), ['image'], `${where}.docker`);
  if (services.length > 0) throw new ConfigError(`${where}.docker`, 'this runner has no service containers');
}
