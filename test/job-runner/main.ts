/**
 * Runs one job from the command line, its output as it comes:
 * `node --import tsx test/job-runner/main.ts --config FILE --job NAME [--orb NAME=FILE]... [--env NAME=VALUE]...
 * [--pipeline NAME=VALUE]... [--home DIR] [--project DIR] [--checkout DIR]`
 */
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { runJob } from './run-job.ts';

const { values } = parseArgs({
  options: {
    config: { type: 'string', default: '.circleci/config.yml' },
    job: { type: 'string' },
    orb: { type: 'string', multiple: true, default: [] },
    env: { type: 'string', multiple: true, default: [] },
    pipeline: { type: 'string', multiple: true, default: [] },
    home: { type: 'string' },
    project: { type: 'string' },
    checkout: { type: 'string' },
  },
});

/** `NAME=VALUE`; the value may contain `=`. */
function pair(text: string): readonly [name: string, value: string] {
  const at = text.indexOf('=');
  if (at < 1) throw new Error(`expected NAME=VALUE, got ${text}`);
  return [text.slice(0, at), text.slice(at + 1)];
}

async function orbTexts(): Promise<Record<string, string>> {
  const read = values.orb.map(pair).map(async ([name, file]) => [name, await readFile(file, 'utf8')] as const);
  return Object.fromEntries(await Promise.all(read));
}

const scratch = await mkdtemp(join(tmpdir(), 'job-'));
try {
  if (values.job === undefined) throw new Error('--job NAME is missing');
  const home = resolve(values.home ?? join(scratch, 'home'));
  const { exitCode } = await runJob({
    config: await readFile(values.config, 'utf8'),
    orbs: await orbTexts(),
    job: values.job,
    pipeline: Object.fromEntries(values.pipeline.map(pair)),
    environment: Object.fromEntries(values.env.map(pair)),
    home,
    ...(values.project === undefined ? {} : { workingDirectory: resolve(values.project) }),
    ...(values.checkout === undefined ? {} : { checkoutFrom: resolve(values.checkout) }),
    onStep: (name) => process.stdout.write(`\n=== ${name}\n`),
    onOutput: (text, stream) => process[stream].write(text),
  });
  process.exitCode = exitCode;
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 2;
} finally {
  await rm(scratch, { recursive: true, force: true });
}
