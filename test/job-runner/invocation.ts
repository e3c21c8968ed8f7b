/** Finds how a workflow calls a job: its arguments, and the steps before and after it. */
import { ConfigError } from './config-error.ts';
import { isMapping, list, mapping, text } from './mapping.ts';
import type { Mapping } from './mapping.ts';

export interface Invocation {
  readonly name: string;
  readonly job: string;
  readonly given: Mapping;
  readonly preSteps: readonly unknown[];
  readonly postSteps: readonly unknown[];
}

/** Keys that decide when a job runs, not what it does. */
const SCHEDULING = ['name', 'requires', 'context', 'filters', 'type'];

/** The first call with this name in a workflow. A job that no workflow calls runs without arguments. */
export function invocationOf(document: Mapping, wanted: string): Invocation {
  for (const [workflow, definition] of Object.entries(mapping(document.workflows, 'workflows'))) {
    // Old configs may still have `version: 2` among the workflows.
    if (!isMapping(definition)) continue;
    for (const call of list(definition.jobs ?? [], `workflows.${workflow}.jobs`)) {
      const found = invocation(call, `workflows.${workflow}`);
      if (found.name === wanted) return found;
    }
  }
  return { name: wanted, job: wanted, given: {}, preSteps: [], postSteps: [] };
}

function invocation(call: unknown, where: string): Invocation {
  if (typeof call === 'string') return { name: call, job: call, given: {}, preSteps: [], postSteps: [] };
  const [job] = Object.keys(mapping(call, where));
  if (job === undefined || !isMapping(call)) throw new ConfigError(where, 'names no job');
  const place = `${where}.${job}`;
  const settings = mapping(call[job], place);
  if ('matrix' in settings) throw new ConfigError(place, 'this runner has no matrix');
  const around = ['pre-steps', 'post-steps'];
  return {
    job,
    name: settings.name === undefined ? job : text(settings.name, `${place}.name`),
    given: Object.fromEntries(Object.entries(settings).filter(([key]) => ![...SCHEDULING, ...around].includes(key))),
    preSteps: list(settings['pre-steps'] ?? [], `${place}.pre-steps`),
    postSteps: list(settings['post-steps'] ?? [], `${place}.post-steps`),
  };
}
