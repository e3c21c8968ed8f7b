/**
 * `npm run demo:record`: runs the demo and saves its log as docs/images/demo.txt, from which `npm run generate` draws
 * demo.svg. Replaces what differs between runs; does not change a recording if only times would differ.
 */
import { spawn } from 'node:child_process';
import { readFile, writeFile } from 'node:fs/promises';
import { text } from 'node:stream/consumers';
import { recorded, withoutTimes } from './demo/recording.ts';

const FILE = 'docs/images/demo.txt';

// One pipe for both streams, so that their lines keep their order.
const demo = spawn('sh', ['-c', 'exec node scripts/run.mjs scripts/demo.ts 2>&1'], {
  stdio: ['ignore', 'pipe', 'inherit'],
});
const [log, exitCode] = await Promise.all([
  text(demo.stdout),
  new Promise<number | null>((done, fail) => demo.once('error', fail).once('exit', done)),
]);
if (exitCode !== 0) throw new Error(`the demo ended with ${String(exitCode)}:\n${log}`);
const previous = await readFile(FILE, 'utf8').catch(() => '');
const recording = recorded(log);
if (withoutTimes(recording) !== withoutTimes(previous)) await writeFile(FILE, recording);
