/** Replaces `<<include(path)>>` with the text of a file. */

/** The path characters that CircleCI's own packers accept. */
const DIRECTIVE = /^<<\s*include\(([-\w/.]+)\)\s*>>$/;
const MENTION = /<<\s*include/;

/**
 * Replaces every string that is a directive. A string that only contains one is a problem, because the older CircleCI CLI
 * rejects it.
 */
export function withIncludes(
  value: unknown,
  files: ReadonlyMap<string, string>,
  where: string,
  problems: string[],
): unknown {
  if (typeof value === 'string') return included(value, files, where, problems);
  if (Array.isArray(value)) {
    return value.map((item, index) => withIncludes(item, files, `${where}[${index}]`, problems));
  }
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, item]) => {
      // Packers do not change descriptions, so a directive there would stay as text.
      if (key === 'description' && typeof item === 'string' && MENTION.test(item)) {
        problems.push(`${where}.description: include directives have no effect here`);
      }
      return [key, withIncludes(item, files, `${where}.${key}`, problems)];
    }),
  );
}

function included(text: string, files: ReadonlyMap<string, string>, where: string, problems: string[]): string {
  if (!MENTION.test(text)) return text;
  const path = DIRECTIVE.exec(text)?.[1];
  if (path === undefined) {
    problems.push(`${where}: an include directive must be the whole value`);
    return text;
  }
  const contents = files.get(path);
  if (contents === undefined) {
    problems.push(`${where}: included file ${path} is not in the orb's directory`);
    return text;
  }
  return escaped(contents, path, problems);
}

/** Escapes `<<`, which starts an expression; the config compiler turns `\<<` back into `<<`. */
function escaped(contents: string, path: string, problems: string[]): string {
  if (contents.includes('\\<<')) problems.push(`${path}: the meaning of "\\<<" in an included file is not documented`);
  return contents.replaceAll('<<', '\\<<');
}
