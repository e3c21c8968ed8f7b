/** Entry point of the bundle: prints what is only a text, and leaves everything else to files that take longer to load. */
import { writeSync } from 'node:fs';
import { textFor } from './command-table.ts';

const STDOUT = 1;

const text = textFor(process.argv.slice(2));
if (text === undefined || !isPrinted(Buffer.from(text))) void import('./process.ts');

/** False if it cannot be written at once. The other way prints it again, and reports why it cannot. */
function isPrinted(bytes: Buffer): boolean {
  try {
    for (let at = 0; at < bytes.length;) at += writeSync(STDOUT, bytes, at);
    return true;
  } catch {
    return false;
  }
}
