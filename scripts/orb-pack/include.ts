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
  return escaped(contents, path, faults);
}

/** The compiler reads `<<` as the start of an expression, and turns `\<<` back into `<<`. */
function escaped(contents: string, path: string, faults: string[]): string {
  if (contents.includes('\\<<')) faults.push(`${path}: what becomes of "\\<<" in an included file is not documented`);
  return contents.replaceAll('<<', '\\<<');
}
