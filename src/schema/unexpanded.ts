/** Finds text that a shell, CircleCI or a template engine should have replaced; this program takes it literally. */

/**
 * Marks of template engines: Go, Helm, Jinja, Ansible, GitHub; ERB, EJS; CircleCI; Terraform; Octopus; GitLab. What they
 * enclose is limited, so that no pattern takes long for a hostile file.
 */
const TEMPLATES: readonly RegExp[] = [
  /\$?\{\{[^]{0,200}?\}\}/u,
  /\{%[^]{0,200}?%\}/u,
  /<%[^]{0,200}?%>/u,
  /<<[^]{0,200}?>>/u,
  /%\{[^]{0,200}?\}/u,
  /#\{[^]{0,200}?\}/u,
  /\$\[\[[^]{0,200}?\]\]/u,
];

/** `${NAME}`, also with a default, and `$(command)`. */
const BRACED: readonly RegExp[] = [/\$\{[^]{0,200}?\}/u, /\$\([^]{0,200}?\)/u];

/**
 * At the start of a word, since names can contain `C$NAME`, and MongoDB has a database `$external`. Not literals: Node would
 * read the tables of Unicode for them when it compiles this file, which takes a millisecond.
 */
function variableWords(): readonly RegExp[] {
  return [
    new RegExp(String.raw`(?<![\p{L}\p{N}_$#])\$(?!external\b)[A-Za-z_]\w*`, 'u'),
    new RegExp(String.raw`(?<![\p{L}\p{N}_%])%[A-Z_][A-Z0-9_]{1,200}%`, 'u'),
    new RegExp(String.raw`(?<![\p{L}\p{N}_])__[A-Z][A-Z0-9_]{0,200}?__`, 'u'),
    ...[/(?<!\w)@[A-Z][A-Z0-9_]{1,200}@/u, /<[A-Z][A-Z0-9_ -]{1,200}>/u],
  ];
}

/**
 * Not meant literally in a path: variables anywhere, `$$`, `` `command` ``, and `%NAME%` that is not an escape such as
 * `%c3%a4`; and an unclosed `${` or `$(`: OpenSSH always reads `${` in its configuration as a variable.
 */
const IN_PATHS: readonly RegExp[] = [
  /\$[A-Za-z_]\w*(?::\w+)?/u,
  /\$\$/u,
  /`[^]{0,200}?`/u,
  /%(?![0-9A-Fa-f]{2}%[0-9A-Fa-f]{2})[A-Za-z_][\w()]{0,200}%/u,
  /\$[{(]/u,
];

/** A home directory, at the start of a path or a URI, or as a folder of that name. */
const HOME = /^(?:(?:file|unix):(?:\/\/)?)?~[^/\\]*|(?<=[/\\])~(?=[/\\]|$)/iu;

/** The home directory of the user in CircleCI's images. */
const EXAMPLE_HOME = '/home/circleci';

const WORKING_DIRECTORY =
  /^(?:\$PWD|\$\{PWD\}|\$\(pwd\)|`pwd`|\$CIRCLE_WORKING_DIRECTORY|\$\{CIRCLE_WORKING_DIRECTORY\})(?:\/|$)/u;

/** In every refusal of this file. */
export const NOT_EXPANDED = 'is not expanded here';

const RENDER = 'the value itself; this is an unrendered template, which must be rendered before this step';

/**
 * A message why `path`, a path or a URI with one, cannot be meant literally, or `undefined`. A single `$`, `%` or `~`
 * within a name is literal.
 */
export function unexpandedPath(path: string): string | undefined {
  if (isPlain(path)) return undefined;
  const bare = path.trim().replace(/^(['"])([^]*)\1$/u, '$2');
  if (bare === path) return expansionIn(path);
  const inside = expansionIn(bare) ?? `write ${JSON.stringify(shortened(bare))}`;
  return `quotes and spaces around ${JSON.stringify(shortened(path))} would become part of the name; without them: ${inside}`;
}

/** Nearly all texts have none of the characters that everything above contains; to compile the patterns takes time. */
function isPlain(text: string): boolean {
  return !/[$%<{#`~@'"\s]|__/.test(text);
}

function expansionIn(path: string): string | undefined {
  const template = firstMatch(path, TEMPLATES);
  if (template !== undefined) return refusal(template, RENDER);
  const [home] = HOME.exec(path) ?? [];
  if (home !== undefined) return homeRefusal(home, path);
  const [working] = WORKING_DIRECTORY.exec(path) ?? [];
  if (working !== undefined) {
    return refusal(working, `"./${path.slice(working.length)}", as relative paths start at the working directory`);
  }
  const variable = firstMatch(path, [...BRACED, ...IN_PATHS]);
  return variable === undefined ? undefined : refusal(variable, 'the path itself');
}

/** The same for values that are not paths. The value may be secret, so the message only repeats the reference. */
export function unexpandedValue(text: string): string | undefined {
  if (isPlain(text)) return undefined;
  const template = firstMatch(text, TEMPLATES);
  if (template !== undefined) return refusal(template, RENDER);
  const variable = firstMatch(text, [...BRACED, ...variableWords()]);
  if (variable === undefined) return undefined;
  return refusal(variable, 'the value itself, or render this template before this step, for example with envsubst');
}

/** The files with authorities for the Proxy's web certificate, by flag or variable; the flag takes precedence. */
export function caFilePaths(
  caFile: string | undefined,
  { SSL_CERT_FILE }: Readonly<Record<string, string | undefined>>,
): Readonly<Record<string, string | undefined>> {
  return caFile === undefined ? { SSL_CERT_FILE } : { '--ca-file': caFile };
}

/** `text` with `value` in place of each template and `${NAME}`. */
export function withoutTemplates(text: string, value: string): string {
  return [...TEMPLATES, ...BRACED].reduce((rest, { source }) => rest.replace(new RegExp(source, 'gu'), value), text);
}

/** A template that spans several lines: where it begins, and what is wrong with it. */
export function templateIn(text: string): { readonly offset: number; readonly message: string } | undefined {
  for (const pattern of TEMPLATES) {
    const match = pattern.exec(text);
    if (match !== null) return { offset: match.index, message: refusal(match[0], RENDER) };
  }
  return undefined;
}

function firstMatch(text: string, patterns: readonly RegExp[]): string | undefined {
  return patterns.map((pattern) => pattern.exec(text)?.[0]).find((found) => found !== undefined);
}

function homeRefusal(home: string, path: string): string {
  const user = home.slice(home.indexOf('~'));
  if (user !== '~') return refusal(user, 'the absolute path, because the home directory of that user is not looked up');
  const rest = path.slice(path.indexOf('~') + 2);
  return refusal(
    `~${path.includes('~/') ? '/' : ''}`,
    `the absolute path, for example ${EXAMPLE_HOME}${rest === '' ? '' : `/${rest}`}`,
  );
}

function refusal(found: string, advice: string): string {
  return `"${shortened(found)}" ${NOT_EXPANDED}: write ${advice}`;
}

function shortened(text: string): string {
  return text.length > 80 ? `${text.slice(0, 77)}...` : text;
}
