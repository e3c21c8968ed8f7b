/** Reads a Markdown document: its code blocks, headings, tables and links. */

export interface CodeBlock {
  readonly language: string;
  readonly text: string;
  /** `README.md line 12`. */
  readonly place: string;
}

export interface Section {
  readonly heading: string;
  /** Without the sections below it. */
  readonly text: string;
}

export function codeBlocks(text: string, path: string): readonly CodeBlock[] {
  return [...text.matchAll(/^( *)```(\w*)\n([\s\S]*?)^\1```$/gm)].map(
    ({ 1: indent = '', 2: language = '', 3: body = '', index }) => ({
      language,
      text: body.replaceAll(new RegExp(`^${indent}`, 'gm'), ''),
      place: `${path} line ${text.slice(0, index).split('\n').length}`,
    }),
  );
}

/** Every heading with the text up to the next one, of whatever level. */
export function sections(text: string): readonly Section[] {
  return withoutCode(text)
    .split(/^#{1,6} /m)
    .slice(1)
    .map((part) => {
      const [heading = '', ...lines] = part.split('\n');
      return { heading, text: lines.join('\n') };
    });
}

/** The cells of each table row below its head; code marks and escapes are taken off. */
export function tableRows(text: string): readonly (readonly string[])[] {
  return [...text.matchAll(/^\|(.*)\|$/gm)]
    .map(([, row = '']) => row.split(/(?<!\\)\|/).map((cell) => cell.trim().replaceAll('`', '').replaceAll('\\|', '|')))
    .filter((cells, at, rows) => !isRule(cells) && !isRule(rows[at + 1] ?? []));
}

/** The targets of inline links. */
export function links(text: string): readonly string[] {
  return [...withoutCode(text).matchAll(/\]\(([^)\s]+)\)/g)].map(([, target = '']) => target);
}

/** The fragment that leads to a heading, as GitHub makes it. */
export function fragmentOf(heading: string): string {
  return heading
    .toLowerCase()
    .replace(/[^\p{L}\p{N} _-]/gu, '')
    .replaceAll(' ', '-');
}

function isRule(cells: readonly string[]): boolean {
  return cells.length > 0 && cells.every((cell) => /^:?-+:?$/.test(cell));
}

function withoutCode(text: string): string {
  return text.replace(/^```[\s\S]*?^```$/gm, '');
}
