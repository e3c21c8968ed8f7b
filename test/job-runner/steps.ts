/** Resolves a list of steps, with its commands and conditions, to the shell steps that a job runs. */
import { holds } from './conditions.ts';
import { ConfigError } from './config-error.ts';
import { substitute, wholeExpression } from './expressions.ts';
import type { Values } from './expressions.ts';
import { isMapping, list, mapping, requireKeys } from './mapping.ts';
import type { Mapping } from './mapping.ts';
import { resolveParameters } from './parameters.ts';
import type { ArgumentReader } from './parameters.ts';
import { resolveRestoreCache, resolveSaveCache, type RestoreCacheStep, type SaveCacheStep } from './cache-step.ts';
import { resolveRun } from './run-step.ts';
import type { RunStep } from './run-step.ts';
import { resolveStore, type StoreStep } from './store-step.ts';
import { declares, find } from './scope.ts';
import type { Scope } from './scope.ts';

export type ResolvedStep = RunStep | SaveCacheStep | RestoreCacheStep | StoreStep | { readonly kind: 'checkout' };

/** Built-in steps that need CircleCI's services. */
const UNSUPPORTED = ['add_ssh_keys', 'attach_workspace', 'deploy', 'persist_to_workspace', 'setup_remote_docker'];

/** Maximum nesting of commands. */
const DEEPEST = 50;

export function expandSteps(
  steps: readonly unknown[],
  scope: Scope,
  values: Values,
  where: string,
): readonly ResolvedStep[] {
  return steps.flatMap((step, index) => expandStep(step, scope, values, `${where}[${index}]`));
}

function expandStep(step: unknown, scope: Scope, values: Values, where: string): readonly ResolvedStep[] {
  if (typeof step === 'string') return expandNamed(step, {}, scope, values, where);
  const [name, ...more] = Object.keys(mapping(step, where));
  if (!isMapping(step) || name === undefined || more.length > 0) {
    throw new ConfigError(where, 'a step is a name or a mapping with one key');
  }
  const body = step[name];
  // In the config or orb that declares it, a command hides CircleCI's built-in step of the same name.
  if (declares(scope, 'commands', name)) return expandNamed(name, mapping(body, where), scope, values, where);
  switch (name) {
    case 'run':
      return [resolveRun(body, values, `${where}.run`)];
    case 'save_cache':
      return [resolveSaveCache(body, values, `${where}.save_cache`)];
    case 'restore_cache':
      return [resolveRestoreCache(body, values, `${where}.restore_cache`)];
    case 'store_artifacts':
    case 'store_test_results':
      return [resolveStore(name, body, values, `${where}.${name}`)];
    case 'steps':
      return expandGivenSteps(body, scope, values, `${where}.steps`);
    case 'when':
    case 'unless':
      return expandConditional(name, body, scope, values, `${where}.${name}`);
    default:
      return expandNamed(name, mapping(body, where), scope, values, where);
  }
}

function expandConditional(
  kind: 'when' | 'unless',
  body: unknown,
  scope: Scope,
  values: Values,
  where: string,
): readonly ResolvedStep[] {
  const { condition, steps, ...rest } = mapping(body, where);
  requireKeys(rest, [], where);
  const decided = holds(substitute(condition, values, `${where}.condition`), `${where}.condition`);
  // Both branches are expanded, so that errors in the branch that is not taken are found too.
  const expanded = expandSteps(list(steps, `${where}.steps`), scope, values, `${where}.steps`);
  return decided === (kind === 'when') ? expanded : [];
}

/** `steps: << parameters.x >>` contains the caller's steps, which were already expanded in the caller's scope. */
function expandGivenSteps(body: unknown, scope: Scope, values: Values, where: string): readonly ResolvedStep[] {
  if (Array.isArray(body)) return expandSteps(body, scope, values, where);
  const given = wholeExpression(body, values, where);
  if (!isStepList(given)) throw new ConfigError(where, 'must name a parameter of type steps');
  return given;
}

function isStepList(value: unknown): value is readonly ResolvedStep[] {
  return Array.isArray(value);
}

function expandNamed(
  name: string,
  given: Mapping,
  scope: Scope,
  values: Values,
  where: string,
): readonly ResolvedStep[] {
  const isHidden = declares(scope, 'commands', name);
  if (name === 'checkout' && !isHidden) {
    requireKeys(given, [], `${where}.checkout`);
    return [{ kind: 'checkout' }];
  }
  if (UNSUPPORTED.includes(name) && !isHidden) throw new ConfigError(where, `this runner has no ${name}`);
  const { definition, scope: inside } = find(scope, 'commands', name, where);
  if (where.split('.steps[').length > DEEPEST) throw new ConfigError(where, `the command ${name} calls itself`);
  const place = `${where}.${name}`;
  const { pipeline } = values;
  const parameters = resolveParameters(definition.parameters, given, place, {
    given: argumentReader(scope, values),
    defaults: argumentReader(inside, { parameters: new Map(), pipeline }),
  });
  return expandSteps(list(definition.steps, `${place}.steps`), inside, { parameters, pipeline }, `${place}.steps`);
}

export function argumentReader(scope: Scope, values: Values): ArgumentReader {
  return {
    plain: (value, where) => substitute(value, values, where),
    steps: (value, where) => expandGivenSteps(value, scope, values, where),
  };
}
