/**
 * Base85: four bytes in five characters, where base64 needs five and a third. The digits are the printable characters in
 * their order, without those that need an escape in YAML, JSON or the shell, and without `<`, with which CircleCI begins a
 * parameter, and `_`, with which our placeholders begin. The step that unpacks the script (`install.sh`) has the same list.
 */
const DIGITS = Array.from({ length: 94 }, (_, at) => String.fromCharCode(33 + at))
  .filter((character) => !'"#$\':<\\_`'.includes(character))
  .join('');

/** The last group may have fewer than four bytes: it has one character more than bytes. */
export function toBase85(bytes: Uint8Array): string {
  const padded = Buffer.concat([bytes, Buffer.alloc((4 - (bytes.length % 4)) % 4)]);
  const groups = Array.from({ length: padded.length / 4 }, (_, at) => digitsOf(padded.readUInt32BE(at * 4)));
  return groups.join('').slice(0, Math.ceil((bytes.length * 5) / 4));
}

function digitsOf(value: number): string {
  return [85 ** 4, 85 ** 3, 85 ** 2, 85, 1].map((unit) => DIGITS.charAt(Math.floor(value / unit) % 85)).join('');
}

/** @throws Error if the text has other characters, or cannot be the end of a text */
export function fromBase85(text: string): Buffer {
  const groups = Array.from({ length: Math.ceil(text.length / 5) }, (_, at) => text.slice(at * 5, at * 5 + 5));
  const bytes = Buffer.alloc(groups.length * 4);
  for (const [at, group] of groups.entries()) bytes.writeUInt32BE(valueOf(group), at * 4);
  return bytes.subarray(0, Math.floor((text.length * 4) / 5));
}

function valueOf(group: string): number {
  const digits = Array.from(group.padEnd(5, DIGITS.charAt(84)), (digit) => DIGITS.indexOf(digit));
  if (digits.includes(-1) || group.length === 1) throw new Error(`not base85: ${JSON.stringify(group)}`);
  return digits.reduce((sum, digit) => sum * 85 + digit, 0);
}
