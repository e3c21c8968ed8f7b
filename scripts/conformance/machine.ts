/** The machine that a row runs on, and the versions of the programs that its tests talk to. */
import { readFileSync } from 'node:fs';
import { cpus, release, totalmem, type as systemName } from 'node:os';
import { setTimeout as delay } from 'node:timers/promises';
import { missing, program, runProgramSync } from '../../test/programs.ts';
import type { Machine } from './results.ts';
import { type Peer, PEERS } from './rows.ts';

/** Other programs may use this much before figures suffer from it. */
const MOST_USED = 0.1;
const SAMPLE_MS = 2000;

export async function thisMachine(): Promise<Machine> {
  const [cpu] = cpus();
  return {
    cpu: cpu?.model.trim() ?? 'unknown',
    cores: cpus().length,
    memoryGb: Math.round(totalmem() / 1024 ** 3),
    os: distribution() ?? `${systemName()} ${release()}`,
    node: process.versions.node,
    busy: (await usedByOthers()) > MOST_USED,
  };
}

/** The part of all processors' time that is not idle while this process waits: the load average would count our own last row. */
async function usedByOthers(): Promise<number> {
  const before = processorTimes();
  await delay(SAMPLE_MS);
  const after = processorTimes();
  return 1 - (after.idle - before.idle) / (after.all - before.all);
}

function processorTimes(): { readonly idle: number; readonly all: number } {
  const times = cpus().map((cpu) => cpu.times);
  const all = times.flatMap((one) => Object.values(one)).reduce((sum, one) => sum + one, 0);
  return { idle: times.reduce((sum, { idle }) => sum + idle, 0), all };
}

function distribution(): string | undefined {
  try {
    return /^PRETTY_NAME="(.+)"$/m.exec(readFileSync('/etc/os-release', 'utf8'))?.[1];
  } catch {
    return undefined; // other systems have no such file
  }
}

export function versionsOf(peers: readonly Peer[]): Readonly<Record<string, string>> {
  return Object.fromEntries(peers.map((peer) => [peer, versionOf(peer)]));
}

function versionOf(peer: Peer): string {
  if (missing(peer) !== undefined) return 'not installed';
  const { stderr, stdout } = runProgramSync(program(peer), PEERS[peer]);
  return /\d+\.\d[\w.]*/.exec(`${stdout}${stderr}`)?.[0] ?? 'unknown';
}
