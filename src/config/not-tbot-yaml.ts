/** Recognizes files that are often passed instead of a tbot.yaml. */
import type { Problem } from '../errors.ts';
import { templateIn, unexpandedPath, unexpandedValue, withoutTemplates } from '../schema/unexpanded.ts';
import { readYaml, SYNTAX_ERROR } from '../schema/yaml/document.ts';
import { isList, isMapping, type Mapping, Scalar } from '../schema/yaml/tree.ts';

interface OtherFile {
  /** As in `a kubeconfig`. */
  readonly looksLike: string;
  /** The key that identifies it; `undefined` if the text itself does. */
  readonly key: string | undefined;
}

/** How a message about it ends. */
export const NOT_TBOT =
  'not a tbot.yaml: pass the file that tbot would read, or use --proxy-server, --token and --destination instead';

/** A file with any of these keys is for tbot, whatever else it contains. */
const KEYS_OF_TBOT = ['onboarding', 'proxy_server', 'auth_server', 'join_uri', 'outputs', 'destinations'];

const SERVICE_OF_TELEPORT =
  /^(?:auth|proxy|ssh|kubernetes|app|db|windows_desktop|discovery|okta|jamf|debug|relay)_service$/;

/** `undefined` if the file may be a tbot.yaml. */
export function otherFile(root: Mapping): OtherFile | undefined {
  if (isList(root.get('services')) || KEYS_OF_TBOT.some((key) => root.has(key))) return undefined;
  if (root.has('kind')) return { looksLike: resource(root), key: 'kind' };
  for (const [keys, looksLike] of DISTINCTIVE_KEYS) {
    if (keys.every((key) => root.has(key))) return { looksLike, key: keys[0] };
  }
  const service = [...root.keys()].find((key) => SERVICE_OF_TELEPORT.test(key));
  if (service !== undefined) return { looksLike: TELEPORT_YAML, key: service };
  if (isMapping(root.get('services'))) return { looksLike: 'a Compose file', key: 'services' };
  return undefined;
}

/** The same for a text that may not be YAML. */
export function otherText(text: string): OtherFile | undefined {
  const start = text.trimStart();
  if (/^-----BEGIN [A-Z0-9 ]+-----/.test(start))
    return { looksLike: 'a PEM file of a key or a certificate', key: undefined };
  if (/^<(?:!doctype|html|\?xml)/i.test(start)) return { looksLike: 'a web page', key: undefined };
  if (start.startsWith('#!')) return { looksLike: 'a script', key: undefined };
  return undefined;
}

const TELEPORT_YAML = "a teleport.yaml (which configures Teleport's own services)";
const CIRCLECI = 'a CircleCI config';

/** In this order; the first key of each is the one whose line is shown. */
const DISTINCTIVE_KEYS: readonly (readonly [keys: readonly string[], looksLike: string])[] = [
  [['teleport'], TELEPORT_YAML],
  [['clusters', 'contexts'], 'a kubeconfig'],
  [['jobs', 'on'], 'a GitHub Actions workflow'],
  [['workflows'], CIRCLECI],
  [['orbs'], CIRCLECI],
  [['jobs'], CIRCLECI],
  [['executors'], CIRCLECI],
  [['stages'], 'a GitLab CI config'],
  [['tbotConfig'], 'the values of the Helm chart tbot (whose tbotConfig is a tbot.yaml)'],
  [['teleportProxyAddress'], 'the values of the Helm chart tbot'],
  [['proxy_templates'], 'a configuration of tsh'],
];

function resource(root: Mapping): string {
  const value = root.get('kind');
  const kind = value instanceof Scalar ? value.text : '';
  if (kind === 'Config' || root.has('contexts')) return 'a kubeconfig';
  if (root.has('apiVersion')) return `a Kubernetes resource of kind "${kind}"`;
  if (/^tokens?$/i.test(kind)) return 'the resource of a join token (for "tctl create -f")';
  return `a Teleport resource of kind "${kind}" (for "tctl create -f")`;
}

// Finds unrendered templates in a text that is not YAML; they are often the reason.

/** Keys whose values are themselves templates. */
const TEMPLATE_KEY = /^\s*(?:-\s+)?["']?(?:context_name_template|cluster_name_template|message)["']?\s*:/;

/** More would not be readable. */
const MAX_PROBLEMS = 100;

/** One problem per line with a template or variable, and the syntax errors that remain once these are replaced. */
export function unrenderedProblems(text: string): readonly Problem[] {
  const lines = text.split(/\r?\n/);
  const refusals = lines.map((line) => (TEMPLATE_KEY.test(line) ? undefined : refusalOf(withoutComment(line))));
  const problems = refusals.flatMap((message, at) =>
    message === undefined ? [] : [{ path: 'document', line: at + 1, message }],
  );
  if (problems.length === 0) return acrossLines(text);
  const rendered = readYaml(lines.map((line, at) => (refusals[at] === undefined ? line : filledIn(line))).join('\n'));
  const others = 'problems' in rendered ? rendered.problems : [];
  return [
    ...problems,
    ...others.filter(({ line, message }) => {
      // Syntax errors only: a key in both branches of a condition would look like a duplicate.
      return message.startsWith(SYNTAX_ERROR) && line !== undefined && refusals[line - 1] === undefined;
    }),
  ].slice(0, MAX_PROBLEMS);
}

function acrossLines(text: string): readonly Problem[] {
  const withoutComments = text.replace(/#(?!\{).*$/gm, (comment) => ' '.repeat(comment.length));
  const template = templateIn(withoutComments);
  if (template === undefined || !/[\r\n]/.test(template.message)) return [];
  const line = text.slice(0, template.offset).split('\n').length;
  return [{ path: 'document', line, message: template.message }];
}

/** Plain text cannot begin with any of these characters in YAML. */
const REFUSED_VALUE = /:\s+([`%@][^,\]}]*)/;

function refusalOf(line: string): string | undefined {
  const [, value] = REFUSED_VALUE.exec(line) ?? [];
  return unexpandedValue(line) ?? (value === undefined ? undefined : unexpandedPath(value.trimEnd()));
}

function withoutComment(line: string): string {
  return line.replace(/(?:^|\s)#(?!\{).*$/, '');
}

/** A line that contains only a template is a statement and is removed; other templates become plain text. */
function filledIn(line: string): string {
  const alone = withoutTemplates(line, '').trim() === '';
  return alone ? '' : withoutTemplates(line, 'x').replace(REFUSED_VALUE, ': x');
}
