/** Text of others made safe between tags and in quoted attributes, of XML and of HTML. */

const ENTITIES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&apos;',
};

/** Without what XML 1.0 section 2.2 does not allow, escaped or not: most control characters, lone surrogates. */
export function escaped(text: string): string {
  return (
    text
      // eslint-disable-next-line no-control-regex -- control characters are what must go
      .replace(/[\u0000-\u0008\u000b\u000c\u000e-\u001f\ufffe\uffff\p{Surrogate}]/gu, ' ')
      .replace(/[&<>"']/g, (character) => ENTITIES[character] ?? character)
  );
}
