/**
 * `npm run chaos -- --seed N --count N`: faults of the network and of the cluster, in every phase, and whether the promise
 * in check.ts holds.
 *
 * A case is a phase (what the spoiled connections are for), a fault, a front, a version of Teleport, and details: the byte
 * after which it begins, its direction, whether a retry meets it again, whether files of an earlier run are there. plan.ts
 * derives it from the seed and its number, so that `--case TEXT` repeats it alone. relay.ts is a real TCP relay between the
 * built bundle and the embedded cluster: it recognizes the phase by the ALPN protocols of the ClientHello and by the number
 * of connections for the same purpose (target.ts), and counts bytes. Responses 429 and 503 come from the cluster, because
 * the relay does not terminate TLS. The bundle runs inside this process, where every call that creates a file is watched, and
 * some cases as a process of its own, whose session and folder are watched. Each cluster serves one case at a time, so that a
 * case owns all connections of its relay; different ones run at the same time, because most of the time is spent waiting for
 * deadlines. A case that breaks the promise is made simpler (minimise.ts) and printed.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { z } from 'zod';
import { brokenPromises, outcomeOf } from './check.ts';
import { minimise } from './minimise.ts';
import { type Case, caseText, parseCase, PHASES, Plan } from './plan.ts';
import { Player } from './play.ts';
import { coverageOf, coverageText, type Result } from './report.ts';
import { Stages } from './stage.ts';

const { values } = parseArgs({
  options: {
    seed: { type: 'string', default: '1' },
    count: { type: 'string', default: '500' },
    /** The number of the first case. */
    from: { type: 'string', default: '0' },
    /** Only cases of this phase; may be repeated. */
    phase: { type: 'string', multiple: true },
    case: { type: 'string' },
    json: { type: 'string' },
    parallel: { type: 'string', default: '12' },
    verbose: { type: 'boolean', default: false },
  },
});

const wanted = values.phase?.map((name) => z.enum(PHASES).parse(name));

process.env.TEST_RSA_KEYS ??= join(process.cwd(), 'build/test-keys');
// What the program creates has the mode that it asks for.
process.umask(0);
const folder = mkdtempSync(join(tmpdir(), 'machine-id-chaos-'));
const stages = new Stages(folder);
const player = new Player(stages);
const uncaught: string[] = [];
process.on('uncaughtException', (error) => uncaught.push(error.stack ?? error.message));
process.on('unhandledRejection', (error) =>
  uncaught.push(error instanceof Error ? (error.stack ?? '') : String(error)),
);

function print(text: string): void {
  process.stdout.write(`${text}\n`);
}

async function play(one: Case): Promise<Result> {
  const seen = await player.play(one);
  const broken = [...brokenPromises(seen), ...uncaught.splice(0).map((stack) => `unhandled: ${stack}`)];
  if (values.verbose || values.case !== undefined) {
    print(
      `${caseText(one)}: ${outcomeOf(seen)} in ${Math.round(seen.end.durationMs)} ms${seen.isReached ? '' : ', not reached'}`,
    );
    if (values.case !== undefined) print(`${seen.end.stderr}${seen.end.stdout}${seen.passages.join('\n')}`);
  }
  const { durationMs } = seen.end;
  return { case: one, outcome: outcomeOf(seen), isReached: seen.isReached, broken, durationMs };
}

function chosenCases(): readonly Case[] {
  if (values.case !== undefined) return [parseCase(values.case)];
  const plan = new Plan(Number(values.seed));
  const cases: Case[] = [];
  for (let at = Number(values.from); cases.length < Number(values.count); at += 1) {
    const one = plan.case(at);
    if (wanted === undefined || wanted.includes(one.phase)) cases.push(one);
  }
  return cases;
}

async function playAll(cases: readonly Case[]): Promise<readonly Result[]> {
  const results: Result[] = [];
  const waiting = [...cases];
  const work = async () => {
    for (let one = waiting.shift(); one !== undefined; one = waiting.shift()) {
      const result = await play(one);
      results.push(result);
      if (result.broken.length > 0) print(`BROKEN ${caseText(one)}\n  ${result.broken.join('\n  ')}`);
    }
  };
  await Promise.all(Array.from({ length: Number(values.parallel) }, work));
  return results;
}

const CLOSE_MS = 10_000;

const MOST_MINIMISED = 5;

async function printMinimal(results: readonly Result[]): Promise<void> {
  for (const result of results.filter(({ broken }) => broken.length > 0).slice(0, MOST_MINIMISED)) {
    const smallest = await minimise(result.case, async (one) => (await play(one)).broken.length > 0);
    print(`reproduce: npm run chaos -- --case '${caseText(smallest)}'`);
  }
}

const startMs = performance.now();
try {
  const results = await playAll(chosenCases());
  const { system, user } = process.cpuUsage();
  const totals = { seed: Number(values.seed), cases: results.length, wallMs: performance.now() - startMs };
  const coverage = coverageOf(results, { ...totals, cpuMs: (system + user) / 1000 });
  print(coverageText(coverage));
  if (values.json !== undefined) writeFileSync(values.json, `${JSON.stringify(coverage, undefined, 2)}\n`);
  if (values.case === undefined) await printMinimal(results);
  process.exitCode = coverage.failed > 0 ? 1 : 0;
} finally {
  await player.close();
  await stages.close();
  rmSync(folder, { recursive: true, force: true });
}
// Nothing may keep this process alive: what does is a leak, here or in the program.
setTimeout(() => {
  print(`left open: ${process.getActiveResourcesInfo().join(', ')}`);
  process.exit(1);
}, CLOSE_MS).unref();
