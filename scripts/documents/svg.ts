/** Shared by all SVG pictures: colors for light and dark pages, and text that is safe in XML. */

/** Width of a character as a part of the font's size: in a monospaced font, and at most in a proportional one. */
export const MONOSPACED = 0.602;

/** The background is opaque: a page can be light while the system, which decides here, is dark. */
const COLORS = `
  :root { --page: #ffffff; --fill: #f6f8fa; --line: #d1d9e0; --text: #1f2328; --quiet: #59636e; --accent: #0969da; --good: #1a7f37 }
  @media (prefers-color-scheme: dark) {
    :root { --page: #0d1117; --fill: #151b23; --line: #3d444d; --text: #f0f6fc; --quiet: #9198a1; --accent: #4493f8; --good: #3fb950 }
  }
  text { fill: var(--text); font: 15px -apple-system, "Segoe UI", "Noto Sans", Helvetica, Arial, sans-serif }
  .page { fill: var(--page) }
  .quiet { fill: var(--quiet) }
`;

export interface Picture {
  readonly width: number;
  readonly height: number;
  readonly title: string;
  readonly description: string;
  /** Rules beside the colors. */
  readonly style?: string;
  readonly body: readonly string[];
}

export function svg({ width, height, title, description, style = '', body }: Picture): string {
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" role="img">
<title>${xml(title)}</title>
<desc>${xml(description.replaceAll(/\s+/g, ' ').trim())}</desc>
<style>${COLORS}${style}</style>
<rect class="page" width="${width}" height="${height}" rx="8"/>
${body.join('\n')}
</svg>
`;
}

export function xml(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;');
}

export function text(x: number, y: number, content: string, attributes = ''): string {
  return `<text x="${x}" y="${y}"${attributes === '' ? '' : ` ${attributes}`}>${xml(content)}</text>`;
}
