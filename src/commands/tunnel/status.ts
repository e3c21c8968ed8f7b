/** `tunnel status`: reports the tunnels of this job, and fails if one of them is not ready. */
import { type Flag, flagsOf, parseFlags } from '../../cli/flags.ts';
import type { Declarations } from '../../config/declaration.ts';
import { utcTime } from '../../crypto/validity.ts';
import type { World } from '../../effects/world.ts';
import { MachineIdError, pluralize } from '../../errors.ts';
import { type BackgroundProcess, listBackground } from '../../job/background.ts';
import { readReport, type TunnelReport, type TunnelsReport } from '../../tunnels/status.ts';
import { indented, problemLines, statusRows } from './status-text.ts';

export const STATUS = {
  json: { flag: 'json', help: 'Print the state as one JSON object.' },
} as const satisfies Declarations;

export const STATUS_FLAGS: readonly Flag[] = flagsOf(STATUS);

/** @throws MachineIdError TUNNEL_UNAVAILABLE if there is no tunnel, or one that is not ready */
export async function tunnelStatus(args: readonly string[], world: World): Promise<void> {
  const given = parseFlags(STATUS_FLAGS, args);
  const processes = (await listBackground(world)).filter(({ kind }) => kind === 'tunnel').map(stateOf);
  if (given.has(STATUS.json.flag)) await world.result(`${JSON.stringify({ processes: processes.map(jsonOf) })}\n`);
  else await world.stdout(statusText(processes));
  const failed = processes.flatMap(failuresOf);
  if (processes.length > 0 && failed.length === 0) return;
  const [first = 'this job has started no tunnel', ...others] = failed;
  throw new MachineIdError('TUNNEL_UNAVAILABLE', first, {
    lines: others,
    hint: 'Start the tunnels again with "tunnel" (the orb command tunnel).',
  });
}

interface ProcessState {
  readonly background: BackgroundProcess;
  /** Undefined until the tunnels are ready for the first time. */
  readonly report: TunnelsReport | undefined;
}

function stateOf(background: BackgroundProcess): ProcessState {
  return { background, report: readReport(background.payload) };
}

function isRunning({ background: { state } }: ProcessState): boolean {
  return state === 'ready';
}

/** Those of a process that has ended are gone, whatever it reported last. */
function tunnelsOf(found: ProcessState): readonly TunnelReport[] {
  const tunnels = found.report?.tunnels ?? [];
  if (isRunning(found)) return tunnels;
  const { sinceMs, state } = found.background;
  const problem = `the process ${stateText(state)}`;
  return tunnels.map((tunnel) => ({ ...tunnel, state: 'unavailable', sinceMs: sinceMs ?? tunnel.sinceMs, problem }));
}

const STATE_TEXTS: Readonly<Record<BackgroundProcess['state'], string>> = {
  starting: 'has not reported that its tunnels are ready',
  ready: 'runs',
  stopped: 'was stopped',
  failed: 'has failed',
  died: 'died: it ended without reporting why',
  unseen: 'is not visible from here',
};

function stateText(state: BackgroundProcess['state']): string {
  return STATE_TEXTS[state];
}

function failuresOf(found: ProcessState): readonly string[] {
  const { background } = found;
  const since = background.sinceMs === undefined ? '' : ` since ${utcTime(background.sinceMs)}`;
  if (!isRunning(found)) {
    const why = background.problem === undefined ? '' : `: ${background.problem}`;
    return [
      `the tunnels ${background.name} are not available${since}: the process ${stateText(background.state)}${why}`,
    ];
  }
  return tunnelsOf(found)
    .filter(({ state }) => state !== 'ready')
    .map(
      ({ name, problem, sinceMs }) => `the tunnel ${name} is not available since ${utcTime(sinceMs)}: ${problem ?? ''}`,
    );
}

function statusText(processes: readonly ProcessState[]): string {
  if (processes.length === 0) return 'This job has no tunnels.\n';
  const tunnels = processes.flatMap(tunnelsOf);
  const lines = [...statusRows(tunnels), ...problemLines(tunnels), ...processes.flatMap(proxyLines)];
  return `${pluralize(tunnels.length, 'tunnel')}\n${indented(lines)}\n`;
}

function proxyLines({ report }: ProcessState): readonly string[] {
  if (report === undefined) return [];
  const { address, outages, problem, sinceMs, state } = report.proxy;
  const count = outages === 0 ? '' : `, ${pluralize(outages, 'outage')} so far`;
  const why = problem === undefined ? '' : `: ${problem}`;
  return [`The Proxy ${address} is ${state} since ${utcTime(sinceMs)}${count}${why}`];
}

function jsonOf(found: ProcessState): object {
  const { entry, name, problem, processId, sinceMs, state } = found.background;
  return { name, state, sinceMs, processId, problem, log: entry.log, ...found.report, tunnels: tunnelsOf(found) };
}
