/** The rule for what a shell, CircleCI or a template engine would have replaced, and this program takes as it stands. */

/**
 * Marks of template engines: Go, Helm, Jinja, Ansible, GitHub; ERB, EJS; CircleCI; Terraform; Octopus; GitLab. What they
 * enclose has a limit, as no pattern here may take long for a hostile file.
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

/** At the start of a word, since names of users and databases may hold `C$NAME`, and one of MongoDB's is `$external`. */
const VARIABLE_WORDS: readonly RegExp[] = [
  /(?<![\p{L}\p{N}_$#])\$(?!external\b)[A-Za-z_]\w*/u,
  /(?<![\p{L}\p{N}_%])%[A-Z_][A-Z0-9_]{1,200}%/u,
  ...[/(?<![\p{L}\p{N}_])__[A-Z][A-Z0-9_]{0,200}?__/u, /(?<!\w)@[A-Z][A-Z0-9_]{1,200}@/u, /<[A-Z][A-Z0-9_ -]{1,200}>/u],
];

/**
 * What in a path alone cannot be meant: variables anywhere, `$$`, `` `command` ``, and `%NAME%` that is no `%c3%a4`; and
 * `${` or `$(` that nothing closes: OpenSSH reads `${` in its configuration so, and has no way to write it literally.
 */
const IN_PATHS: readonly RegExp[] = [
  /\$[A-Za-z_]\w*(?::\w+)?/u,
  /\$\$/u,
  /`[^]{0,200}?`/u,
  /%(?![0-9A-Fa-f]{2}%[0-9A-Fa-f]{2})[A-Za-z_][\w()]{0,200}%/u,
  /\$[{(]/u,
];

/** The home of somebody, at the start of a path or a URI, or as a folder of that name. */
const HOME = /^(?:(?:file|unix):(?:\/\/)?)?~[^/\\]*|(?<=[/\\])~(?=[/\\]|$)/iu;

/** Where the images of CircleCI have the home of their user. */
const EXAMPLE_HOME = '/home/circleci';

const WORKING_DIRECTORY =
  /^(?:\$PWD|\$\{PWD\}|\$\(pwd\)|`pwd`|\$CIRCLE_WORKING_DIRECTORY|\$\{CIRCLE_WORKING_DIRECTORY\})(?:\/|$)/u;

/** In every refusal of this file. */
export const NOT_EXPANDED = 'is not expanded here';

const RENDER = 'the value itself; this is an unrendered template, which must be rendered before this step';

/**
 * Why `path`, a path or a URI with one, cannot be meant as it stands, ready for a person; `undefined` when it can. A
 * lone `$`, `%` or `~` within a name is literal.
 */
export function unexpandedPath(path: string): string | undefined {
  const bare = path.trim().replace(/^(['"])([^]*)\1$/u, '$2');
  if (bare === path) return expansionIn(path);
  const inside = expansionIn(bare) ?? `write ${JSON.stringify(shortened(bare))}`;
  return `quotes and spaces around ${JSON.stringify(shortened(path))} would become a part of its name; without them: ${inside}`;
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

/** The same for values that are no paths. Of a value that may be secret, the message repeats the reference alone. */
export function unexpandedValue(text: string): string | undefined {
  const template = firstMatch(text, TEMPLATES);
  if (template !== undefined) return refusal(template, RENDER);
  const variable = firstMatch(text, [...BRACED, ...VARIABLE_WORDS]);
  if (variable === undefined) return undefined;
  return refusal(variable, 'the value itself, or render this template before this step, for example with envsubst');
}

/** Where the authorities of the Proxy's web certificate come from, by flag or variable; the flag counts. */
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

/** A template that goes over several lines: where it begins, and what is wrong with it. */
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
  if (user !== '~') return refusal(user, 'the absolute path, as the home of that user is not looked up');
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
