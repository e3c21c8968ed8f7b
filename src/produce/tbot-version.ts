/** Whether the tbot on PATH fits the cluster, before it is started. */
import type { World } from '../effects/world.ts';
import { MachineIdError } from '../errors.ts';
import type { ClusterFacts } from '../teleport/ping.ts';
import { compareVersions, OLDEST_TESTED, parseServerVersion, type ServerVersion } from '../teleport/version.ts';
import { missingTbot } from './tbot-program.ts';

/** It takes a moment on a machine that is busy. */
const LONGEST_MS = 15_000;
/** It prints one line. */
const MOST_LINES = 50;

/**
 * Undefined when it does not say.
 * @throws MachineIdError TBOT_MISSING, or the reason of the run's signal
 */
export async function readTbotVersion({
  environment,
  follow,
  signal,
}: Pick<World, 'environment' | 'follow' | 'signal'>): Promise<ServerVersion | undefined> {
  const lines: string[] = [];
  const onLine = (line: string) => {
    if (lines.length < MOST_LINES) lines.push(line);
  };
  const ended = await follow('tbot', ['version'], { environment, timeoutMs: LONGEST_MS, signal, onLine });
  signal.throwIfAborted();
  if (ended.outcome === 'not started') throw missingTbot(ended.reason);
  return ended.outcome === 'exited' && ended.exitCode === 0 ? versionIn(lines) : undefined;
}

/** For example `Teleport v18.2.4 git:v18.2.4-0-gabcdef go1.24.4`, or `Teleport Enterprise v18.2.4 …`. */
function versionIn(lines: readonly string[]): ServerVersion | undefined {
  for (const line of lines) {
    const [, text] =
      /^(?:Teleport|tbot)\b[^\d]*\bv?(\d+\.\d+\.\d+(?:-[0-9A-Za-z.-]+)?)(?![0-9A-Za-z.])/.exec(line) ?? [];
    const version = text === undefined ? undefined : parseServerVersion(text);
    if (version !== undefined) return version;
  }
  return undefined;
}

/**
 * Teleport takes clients of the cluster's major version and of the one before.
 * @returns a warning where tbot may work all the same
 * @throws MachineIdError TBOT_UNSUITABLE
 */
export function checkTbotVersion(tbot: ServerVersion | undefined, cluster: ClusterFacts): string | undefined {
  const { clusterName, minClientVersion, serverVersion } = cluster;
  const theCluster = `the cluster ${clusterName} (Teleport ${serverVersion.text})`;
  if (tbot === undefined) return `"tbot version" does not say its version; it may not fit ${theCluster}`;
  if (compareVersions(tbot, OLDEST_TESTED) < 0) {
    throw unsuitable(`tbot ${tbot.text} is too old: this program works with tbot ${OLDEST_TESTED.text} or later`);
  }
  const oldestMajor = serverVersion.major - 1;
  if (tbot.major < oldestMajor) {
    throw unsuitable(`tbot ${tbot.text} is too old for ${theCluster}, which takes tbot ${oldestMajor} or later`);
  }
  if (minClientVersion !== undefined && compareVersions(tbot, minClientVersion) < 0) {
    throw unsuitable(`tbot ${tbot.text} is too old for ${theCluster}, which takes ${minClientVersion.text} or later`);
  }
  return tbot.major > serverVersion.major
    ? `tbot ${tbot.text} is newer than ${theCluster}; Teleport does not support clients of a newer major version`
    : undefined;
}

function unsuitable(message: string): MachineIdError {
  return new MachineIdError('TBOT_UNSUITABLE', message, {
    hint: 'Install the tbot of the cluster: install_tools with tools: tbot brings it. Or leave out --engine tbot (orb parameter engine).',
  });
}
