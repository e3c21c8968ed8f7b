/** The configs that the orb's usage examples show. */
import { parse, stringify } from 'yaml';
import { list, mapping } from '../job-runner/mapping.ts';
import { sourceFiles } from './source.ts';

/** Config text by the example's path. */
export const exampleConfigs: ReadonlyMap<string, string> = new Map(
  [...sourceFiles]
    .filter(([path]) => path.startsWith('examples/'))
    .map(([path, text]) => [path, stringify(mapping(parse(text), path).usage)]),
);

/** The jobs that an example runs: its own, and those of the orb by the names that its workflows give them. */
export function jobsOf(config: string): readonly string[] {
  const { jobs, workflows } = mapping(parse(config), 'example');
  const calls = Object.values(mapping(workflows, 'workflows')).flatMap((workflow) => {
    const listed = mapping(workflow, 'workflow').jobs;
    return list(listed ?? [], 'jobs');
  });
  const ofOrb = calls.flatMap((call) => {
    const [name = '', settings] = Object.entries(typeof call === 'string' ? {} : mapping(call, 'call'))[0] ?? [];
    const given = mapping(settings, name).name;
    return name.includes('/') ? [typeof given === 'string' ? given : name] : [];
  });
  return [...Object.keys(mapping(jobs, 'jobs')), ...ofOrb];
}
