/** The name of the current job for people who look at it from Teleport: project and number, such as `example/app#123`. */
import { printable } from '../errors.ts';

const MAX_CHARS = 200;

/** Outside CircleCI, and for a project without a name, what is known. */
export function jobName(environment: Readonly<Record<string, string | undefined>>): string {
  const {
    CIRCLE_BUILD_NUM: number = '',
    CIRCLE_NODE_INDEX: index = '',
    CIRCLE_NODE_TOTAL: total = '',
    CIRCLE_PROJECT_ID: id = '',
    CIRCLE_PROJECT_REPONAME: repository = '',
    CIRCLE_PROJECT_USERNAME: owner = '',
  } = environment;
  const project = [owner, repository].filter((part) => part !== '').join('/') || id || 'circleci';
  // Jobs that run in parallel share a number, and each joins.
  const node = Number(total) > 1 && index !== '' ? `.${index}` : '';
  return printable(number === '' ? project : `${project}#${number}${node}`).slice(0, MAX_CHARS);
}
