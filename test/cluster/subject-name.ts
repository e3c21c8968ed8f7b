/** Writes distinguished names as Go's crypto/x509 does, since that is what Teleport's certificates are made with. */
import 'reflect-metadata';
import * as x509 from '@peculiar/x509';

/** One attribute of a name by its object identifier, with one or several values. */
export interface Attribute {
  readonly oid: string;
  readonly values: readonly string[];
}

export const OID = {
  commonName: '2.5.4.3',
  locality: '2.5.4.7',
  streetAddress: '2.5.4.9',
  organization: '2.5.4.10',
  organizationalUnit: '2.5.4.11',
  postalCode: '2.5.4.17',
} as const;

/** Several values of one attribute share one relative distinguished name, sorted as a DER SET OF must be. */
export function encodeName(attributes: readonly Attribute[]): x509.Name {
  return new x509.Name(
    attributes
      .filter((attribute) => attribute.values.length > 0)
      .map(({ oid, values }) => ({ [oid]: [...values].sort(compareEncoded).map(directoryString) })),
  );
}

/** The values of an attribute, in the order they are encoded. */
export function attributeValues(name: x509.Name, oid: string): string[] {
  return name.getField(oid);
}

/** Go writes a PrintableString wherever the characters allow it. */
function directoryString(value: string): { printableString: string } | { utf8String: string } {
  return isPrintable(value) ? { printableString: value } : { utf8String: value };
}

function compareEncoded(a: string, b: string): number {
  return Buffer.compare(encodedForSorting(a), encodedForSorting(b));
}

/** Length first, then type and text: the order in which the elements' DER differs. */
function encodedForSorting(value: string): Buffer {
  const length = Buffer.alloc(4);
  length.writeUInt32BE(Buffer.byteLength(value));
  return Buffer.concat([length, Buffer.from(isPrintable(value) ? [0x13] : [0x0c]), Buffer.from(value)]);
}

function isPrintable(value: string): boolean {
  return /^[A-Za-z0-9 '()+,\-./:=?]*$/.test(value);
}
