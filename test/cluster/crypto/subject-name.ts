/** Encodes distinguished names as Go's crypto/x509 does, which creates Teleport's certificates. */
import * as der from './der.ts';

/** One attribute of a name, by object identifier, with one or several values. */
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

/** Name DER: the values of one attribute share a relative distinguished name. */
export function encodeName(attributes: readonly Attribute[]): Buffer {
  return der.sequence(
    ...attributes
      .filter(({ values }) => values.length > 0)
      .map(({ oid, values }) =>
        der.setOf(values.map((value) => der.sequence(der.objectIdentifier(oid), directoryString(value)))),
      ),
  );
}

/** Go writes a PrintableString if the characters allow it. */
function directoryString(value: string): Buffer {
  const isPrintable = /^[A-Za-z0-9 '()+,\-./:=?]*$/.test(value);
  return der.element(isPrintable ? der.TAG.printableString : der.TAG.utf8String, Buffer.from(value));
}
