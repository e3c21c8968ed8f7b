/** Reads DER (ITU-T X.690 section 8.1), as far as certificates and names of this cluster need it. */

export interface Element {
  readonly content: Buffer;
  /** With tag and length. */
  readonly der: Buffer;
}

/** Elements one after another. @throws RangeError for bytes that end within one */
export function elementsIn(bytes: Buffer): readonly Element[] {
  const elements: Element[] = [];
  for (let at = 0; at < bytes.length;) {
    const { end, start } = extentOf(bytes, at);
    elements.push({ content: bytes.subarray(start, end), der: bytes.subarray(at, end) });
    at = end;
  }
  return elements;
}

/** The content of a single element, such as a whole certificate. */
export function contentOf(element: Buffer): Buffer {
  const { end, start } = extentOf(element, 0);
  return element.subarray(start, end);
}

/** Tags above 30, which take several bytes, do not occur. */
function extentOf(bytes: Buffer, at: number): { readonly start: number; readonly end: number } {
  const first = bytes.readUInt8(at + 1);
  const lengthBytes = first < 0x80 ? 0 : first & 0x7f;
  const start = at + 2 + lengthBytes;
  const end = start + (lengthBytes === 0 ? first : bytes.readUIntBE(at + 2, lengthBytes));
  if (end > bytes.length) {
    throw new RangeError('an element is longer than the bytes around it');
  }
  return { start, end };
}
