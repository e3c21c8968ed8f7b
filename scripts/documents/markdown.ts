/** Writes Markdown from plain text: tables, code, and sentences with names in them. */

export const code = (text: string): string => `\`${text}\``;

/** Prettier aligns its columns. */
export function markdownTable(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) => `| ${cells.map(cell).join(' | ')} |`;
  return [line(head), line(head.map(() => '---')), ...rows.map(line)].join('\n');
}

/** Flags, variables, parameters with an underscore, paths below the home directory, and `<names>` become code. */
export function prose(text: string): string {
  return text
    .trim()
    .replaceAll(/(?<=^|[\s("])(?:--[a-z]|\$|~\/|[\w-]*_)[\w~/${}.-]*[\w~/}]/g, code)
    .replaceAll(/`([^`]*_)`<([^>]*)>/g, (_, name: string, rest: string) => code(`${name}<${rest}>`))
    .replaceAll(/(?<!`[^`\s]*)<[^>]*>/g, code);
}

function cell(text: string): string {
  return text.replaceAll(/\s+/g, ' ').trim().replaceAll('|', '\\|');
}
