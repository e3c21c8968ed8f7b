/** Fills the generated parts of a document: everything between `<!-- generated: NAME -->` and `<!-- end of NAME -->`. */

/** Text of each generated part, by its name. */
export type Parts = ReadonlyMap<string, string>;

const PART = /<!-- generated: (.+?) -->\n[^]*?<!-- end of \1 -->/g;

/** @throws Error when the document has a part that nothing generates */
export function withParts(path: string, text: string, parts: Parts): string {
  return text.replaceAll(PART, (_, name: string) => {
    const part = parts.get(name);
    if (part === undefined) throw new Error(`${path}: nothing generates "${name}"`);
    return `<!-- generated: ${name} -->\n\n${part.trim()}\n\n<!-- end of ${name} -->`;
  });
}

export function partsOf(text: string): readonly string[] {
  return [...text.matchAll(PART)].map(([, name = '']) => name);
}
