/** Runs the bundle on a terminal, created with `script`, and answers its questions. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { missing, program } from '../programs.ts';
import { BUNDLE, NODE } from './run-bundle.ts';

/** On other systems, a program of this name has other flags. */
export const terminalMissing =
  process.platform === 'linux' ? missing('script') : 'script of util-linux makes the terminal';

export interface Terminal {
  /** Waits for the text in the output since the last answer, and types the answer. */
  answer(question: RegExp, keys: string): Promise<void>;
  /** Resolves with the exit code when the program has ended. */
  readonly ended: Promise<number | null>;
  /** Everything that was shown on the screen. */
  screen(): string;
}

export const CTRL_C = '\u0003';
export const CTRL_D = '\u0004';

/** What readline sends to place the cursor (ECMA-48). */
// eslint-disable-next-line no-control-regex -- escape sequences begin with one
const CURSOR_MOVES = /\u001b\[[0-9;]*[A-Za-z]/g;

const LONGEST_MS = 30_000;

export function startAtTerminal(
  args: readonly string[],
  { workingDirectory, environment }: { readonly workingDirectory: string; readonly environment: NodeJS.ProcessEnv },
): Terminal {
  const command = [NODE, BUNDLE, ...args].map((word) => `'${word}'`).join(' ');
  const child = spawn(program('script'), ['--quiet', '--return', '--command', command, '/dev/null'], {
    cwd: workingDirectory,
    env: { PATH: '/usr/bin:/bin', SHELL: '/bin/sh', TERM: 'xterm', ...environment },
    stdio: ['pipe', 'pipe', 'inherit'],
    timeout: LONGEST_MS,
    killSignal: 'SIGKILL',
  });
  let [printed, seen] = ['', 0];
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    printed += text;
  });
  const readable = (from: number) => printed.slice(from).replace(CURSOR_MOVES, '');
  const ended = once(child, 'close').then(() => child.exitCode);
  return {
    ended,
    screen: () => readable(0),
    answer: async (question, keys) => {
      while (!question.test(readable(seen))) {
        const more = await Promise.race([once(child.stdout, 'data'), ended.then(() => undefined)]);
        if (more === undefined) assert.match(readable(seen), question, `the program ended after:\n${readable(0)}`);
      }
      seen = printed.length;
      child.stdin.write(keys);
    },
  };
}
