/** Replaces `<<include(path)>>` by the text of a file. */

/** The path characters that CircleCI's own packers accept. */
const DIRECTIVE = /^<<\s*include\(([-\w/.]+)\)\s*>>$/;
const MENTION = /<<\s*include/;

/**
 * The value with every string that is a directive replaced; a string that merely contains one is a fault, because the
 * older CircleCI CLI refuses it.
 */
export function withIncludes(
  value: unknown,
  files: ReadonlyMap<string, string>,
  where: string,
  faults: string[],
): unknown {
  if (typeof value === 'string') return included(value, files, where, faults);
  if (Array.isArray(value)) {
    return value.map((item, index) => withIncludes(item, files, `${where}[${index}]`, faults));
  }
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, item]) => {
      // Packers leave descriptions alone, so a directive there would stay as text.
      if (key === 'description' && typeof item === 'string' && MENTION.test(item)) {
        faults.push(`${where}.description: an include directive is not read here`);
      }
      return [key, withIncludes(item, files, `${where}.${key}`, faults)];
    }),
  );
}

function included(text: string, files: ReadonlyMap<string, string>, where: string, faults: string[]): string {
  if (!MENTION.test(text)) return text;
  const path = DIRECTIVE.exec(text)?.[1];
  if (path === undefined) {
    faults.push(`${where}: an include directive must be the whole value`);
    return text;
  }
  const contents = files.get(path);
  if (contents === undefined) {
    faults.push(`${where}: included file ${path} is not in the orb's folder`);
    return text;
  }
  return escaped(asStep(withParts(contents, files, path, faults)), path, faults);
}

/** A line of a script that reads in one of the parts that several scripts are made of. */
const PART = /^\. (parts\/[a-z-]+\.sh)$/gm;

/** A step is one text, so the parts become text of each script. */
function withParts(script: string, files: ReadonlyMap<string, string>, path: string, faults: string[]): string {
  return script.replace(PART, (line, part: string) => {
    const text = files.get(`scripts/${part}`);
    if (text === undefined) faults.push(`${path}: there is no scripts/${part}`);
    return text?.trimEnd() ?? line;
  });
}

/** Without its comments but the first, which says what the step does: each use of a command carries its whole text. */
function asStep(script: string): string {
  const [shebang = '', title = '', ...lines] = script.split('\n');
  return [shebang, title, ...lines.filter((line) => !/^\s*#/.test(line))].join('\n').replaceAll(/\n{3,}/g, '\n\n');
}

/** The compiler reads `<<` as the start of an expression, and turns `\<<` back into `<<`. */
function escaped(contents: string, path: string, faults: string[]): string {
  if (contents.includes('\\<<')) faults.push(`${path}: what becomes of "\\<<" in an included file is not documented`);
  return contents.replaceAll('<<', '\\<<');
}
