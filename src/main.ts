/**
 * Entry point of the bundle: prints what is only a text, answers kubectl, and leaves everything else to files that take longer
 * to load.
 */
import { writeSync } from 'node:fs';
import { KUBE_CREDENTIALS, textFor } from './command-table.ts';

const STDOUT = 1;

const args = process.argv.slice(2);
void shortAnswer().then((text) => {
  if (text === undefined || !isPrinted(Buffer.from(text))) void import('./process.ts');
});

/** Undefined if there is none. */
async function shortAnswer(): Promise<string | undefined> {
  if (args[0] !== KUBE_CREDENTIALS) return textFor(args);
  const { answerToKubectl } = await import('./commands/exec-credential.ts');
  const { readPlainFile: readFile } = await import('./effects/open-file.ts');
  return answerToKubectl(args.slice(1), { nowMs: Date.now(), workingDirectory: process.cwd(), readFile });
}

/** False if it cannot be written at once. The other way prints it again, and reports why it cannot. */
function isPrinted(bytes: Buffer): boolean {
  try {
    for (let at = 0; at < bytes.length;) at += writeSync(STDOUT, bytes, at);
    return true;
  } catch {
    return false;
  }
}
