/** `tunnel`: opens the tunnels of the configuration, for programs that present no certificate themselves. */
import type { PlannedRun } from '../../config/plan.ts';
import type { World } from '../../effects/world.ts';
import { MachineIdError } from '../../errors.ts';
import { startBackground } from '../../job/background.ts';
import type { BackgroundName } from '../../job/background-files.ts';
import { runBackground } from '../../job/background-work.ts';
import { appendLines, exportLines, openBashEnv } from '../../job/bash-env.ts';
import { readReport, type TunnelsReport } from '../../tunnels/status.ts';
import { type Tunnel, tunnelName } from '../../tunnels/tunnels.ts';
import { openRunJournal } from '../run.ts';
import { readConfiguration } from '../run-configuration.ts';
import { readTunnelArguments, type TunnelArguments, TUNNEL_OPTIONS } from './flags.ts';
import { runTunnels } from './foreground.ts';
import { readyText } from './status-text.ts';
import { exportedByTunnels } from './variables.ts';

/** @throws MachineIdError; invalid input is reported before anything is contacted */
export async function tunnel(args: readonly string[], world: World): Promise<void> {
  const given = readTunnelArguments(args);
  if (given.isForeground) {
    // Read again inside, where its lines go to the log of the process.
    const quiet = { ...world, stderr: () => undefined };
    const { plan } = await readConfiguration(given, openRunJournal(quiet), quiet, given.tunnelFlags);
    await runBackground(world, processName(plan.tunnels), (background) => runTunnels(given, background));
    return;
  }
  const run = await readConfiguration(given, openRunJournal(world), world, given.tunnelFlags);
  const exportPath = given.exportVariables ? await openBashEnv(world.files, world.environment) : undefined;
  const report = await start(args, given, run);
  const exported = exportPath === undefined ? [] : await exportTo(exportPath, report, given, run);
  if (given.json) await world.result(`${JSON.stringify({ ...report, exported })}\n`);
  else world.stderr(readyText(report, exported));
}

/** Of a process of the job: another start with the same tunnels replaces it. */
function processName(tunnels: readonly Tunnel[]): BackgroundName {
  const names = tunnels.map((one) => tunnelName(one).replace(/[^\w-]+/g, '-')).join('.');
  return { kind: 'tunnel', name: names.slice(0, MAX_NAME) };
}

const MAX_NAME = 60;

/** The process reports itself which tunnel is late, and why. */
const REPORT_MS = 5000;

async function start(
  args: readonly string[],
  { readyTimeoutMs }: TunnelArguments,
  run: PlannedRun,
): Promise<TunnelsReport> {
  const { plan, world } = run;
  const payload = await startBackground(world, {
    ...processName(plan.tunnels),
    args: ['tunnel', ...args, `--${TUNNEL_OPTIONS.foreground.flag}`],
    readyTimeoutMs: readyTimeoutMs + REPORT_MS,
  });
  const report = readReport(payload);
  if (report !== undefined) return report;
  throw new MachineIdError('TUNNEL_NOT_READY', 'the process with the tunnels did not report where they listen', {
    hint: 'Call this command and its status with the same version of this program.',
  });
}

/** @returns the names of the variables */
async function exportTo(
  path: string,
  report: TunnelsReport,
  { exportsClientVariables }: TunnelArguments,
  { journal, record, world: { files } }: PlannedRun,
): Promise<readonly string[]> {
  const { variables, warnings } = exportedByTunnels(report.tunnels, exportsClientVariables);
  for (const warning of warnings) journal.warn(warning);
  const lines = exportLines(variables);
  await record.exports(path, lines);
  await appendLines(files, path, lines);
  return [...variables.keys()];
}
