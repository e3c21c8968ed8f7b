/** A program `tbot` on a job's PATH that behaves like tbot, as far as other programs can observe. */
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import type { Job } from './job.ts';
import { NODE } from './run-bundle.ts';

export interface StandIn {
  /** Folders with the files to write, by the path of the destination. */
  readonly writes?: Readonly<Record<string, string>>;
  /** Files that it does not write. */
  readonly omits?: readonly string[];
  /** Printed on stderr in these chunks. */
  readonly says?: readonly string[];
  readonly exitCode?: number;
  /** Runs until it gets a signal. */
  readonly hangs?: boolean;
  /** The version that it reports; `none` if it has no such command. */
  readonly version?: string;
}

const Call = z.strictObject({
  args: z.array(z.string()),
  environment: z.record(z.string(), z.string()),
  config: z.string(),
  configMode: z.string(),
});

export type TbotCall = z.infer<typeof Call>;

const SCRIPT = `
import { mkdirSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
const { exitCode, hangs, omits, says, writes } = JSON.parse(readFileSync(process.env.HOME + '/tbot-plan.json', 'utf8'));
const args = process.argv.slice(2);
const path = args[args.indexOf('-c') + 1];
const [config, configMode] = [readFileSync(path, 'utf8'), (statSync(path).mode & 0o777).toString(8)];
const call = { args, environment: process.env, config, configMode };
writeFileSync(process.env.HOME + '/tbot-call.json', JSON.stringify(call));
for (const text of says) {
  process.stderr.write(text);
  await delay(50);
}
for (const [to, from] of Object.entries(writes)) {
  for (const name of readdirSync(from, { recursive: true })) {
    if (omits.includes(name) || statSync(join(from, name)).isDirectory()) continue;
    mkdirSync(dirname(join(to, name)), { recursive: true });
    writeFileSync(join(to, name), readFileSync(join(from, name)), { mode: 0o600 });
  }
}
if (hangs) {
  process.once('SIGTERM', () => process.exit(0));
  writeFileSync(process.env.HOME + '/tbot-hangs', '');
  await delay(30_000);
}
process.exitCode = exitCode;
`;

export async function addTbot(
  job: Job,
  { exitCode = 0, hangs = false, omits = [], says = [], version = '18.6.0', writes = {} }: StandIn,
): Promise<void> {
  const script = join(job.folder, 'bin/tbot.mjs');
  await writeFile(script, SCRIPT);
  await writeFile(join(job.folder, 'tbot-plan.json'), JSON.stringify({ exitCode, hangs, omits, says, writes }));
  const answer = version === 'none' ? '' : `[ "$1" = version ] && { echo '${lineOf(version)}'; exit; }\n`;
  await job.addProgram('tbot', `${answer}exec '${NODE}' '${script}' "$@"`);
}

function lineOf(version: string): string {
  return /^\d/.test(version) ? `Teleport v${version} git:v${version}-0-g0123abc go1.24.4` : version;
}

/** The arguments and environment of its last call. */
export async function tbotCall({ folder }: Job): Promise<TbotCall> {
  return Call.parse(JSON.parse(await readFile(join(folder, 'tbot-call.json'), 'utf8')));
}
