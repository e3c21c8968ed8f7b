/** Finds commands, executors and jobs by name, in a config or an orb. */
import { ConfigError } from './config-error.ts';
import { isMapping, mapping } from './mapping.ts';
import type { Mapping } from './mapping.ts';

export type Section = 'commands' | 'executors' | 'jobs';

/** A config or an inline orb. */
export interface Scope {
  readonly commands: Mapping;
  readonly executors: Mapping;
  readonly jobs: Mapping;
  readonly orbs: Mapping;
}

export interface Found {
  readonly definition: Mapping;
  /** The scope in which names inside the definition are looked up. */
  readonly scope: Scope;
}

export function scopeOf(document: Mapping, where: string): Scope {
  return {
    commands: mapping(document.commands, `${where}.commands`),
    executors: mapping(document.executors, `${where}.executors`),
    jobs: mapping(document.jobs, `${where}.jobs`),
    orbs: mapping(document.orbs, `${where}.orbs`),
  };
}

/** `name` is a component of this scope, `orb/name` a component of an orb that it uses. */
export function find(scope: Scope, section: Section, name: string, where: string): Found {
  const slash = name.indexOf('/');
  if (slash >= 0) {
    return find(orbScope(scope, name.slice(0, slash), where), section, name.slice(slash + 1), where);
  }
  const definition = scope[section][name];
  if (!isMapping(definition)) throw new ConfigError(where, `there is no ${section.slice(0, -1)} named ${name}`);
  return { definition, scope };
}

/** Whether `find` would succeed. */
export function declares(scope: Scope, section: Section, name: string): boolean {
  const [orb = '', component] = name.split('/');
  if (component === undefined) return isMapping(scope[section][name]);
  const inside = scope.orbs[orb];
  return isMapping(inside) && declares(scopeOf(inside, `orbs.${orb}`), section, component);
}

function orbScope(scope: Scope, orb: string, where: string): Scope {
  const found = scope.orbs[orb];
  if (typeof found === 'string') {
    throw new ConfigError(where, `orb ${orb} is ${found} of the registry; this runner takes inline orbs only`);
  }
  if (!isMapping(found)) throw new ConfigError(where, `there is no orb named ${orb}`);
  return scopeOf(found, `orbs.${orb}`);
}
