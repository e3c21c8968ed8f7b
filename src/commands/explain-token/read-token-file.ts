/** Reads a file that the command line names, such as that of a join token, or standard input. */
import { resolve } from 'node:path';
import { fileErrorText } from '../../effects/file-error.ts';
import { readChunks } from '../../effects/streams.ts';
import type { World } from '../../effects/world.ts';
import { MachineIdError } from '../../errors.ts';

const MAX_INPUT_BYTES = 1024 * 1024;
/** The program at the other end of the pipe may ask a person to log in. */
const STDIN_TIMEOUT_MS = 5 * 60 * 1000;

const TOKEN_HINT = 'Pass the path of the join token file, or pipe "tctl get token/NAME" into "explain-token -".';

/** @throws MachineIdError CONFIG_UNREADABLE */
export async function readTokenFile(path: string, world: World, hint = TOKEN_HINT): Promise<string> {
  const { files, signal, stdin, workingDirectory } = world;
  try {
    const maxBytes = MAX_INPUT_BYTES;
    if (path !== '-') return await files.readInput(resolve(workingDirectory, path), { maxBytes, signal });
    const limits = { name: 'standard input', maxBytes, timeoutMs: STDIN_TIMEOUT_MS, signal };
    return new TextDecoder('utf-8', { fatal: true }).decode(await readChunks(stdin(), limits));
  } catch (cause) {
    throw new MachineIdError('CONFIG_UNREADABLE', `cannot read ${nameOfInput(path)}: ${fileErrorText(cause)}`, {
      hint,
      cause,
    });
  }
}

/** For messages. */
export function nameOfInput(path: string): string {
  return path === '-' ? 'standard input' : path;
}
