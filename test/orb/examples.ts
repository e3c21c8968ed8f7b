/** The configs that the orb's usage examples show. */
import { parse, stringify } from 'yaml';
import { mapping } from '../job-runner/mapping.ts';
import { sourceFiles } from './source.ts';

/** Config text by the example's path. */
export const exampleConfigs: ReadonlyMap<string, string> = new Map(
  [...sourceFiles]
    .filter(([path]) => path.startsWith('examples/'))
    .map(([path, text]) => [path, stringify(mapping(parse(text), path).usage)]),
);
