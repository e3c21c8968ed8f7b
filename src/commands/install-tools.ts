/** `install-tools`: Teleport's own programs, downloaded and verified, for later steps of the job. */
import { createLog } from '../effects/log.ts';
import { type Retries, startRetries } from '../effects/retry.ts';
import type { World } from '../effects/world.ts';
import { appendLines, exportLines, openBashEnv, removeLines } from '../job/bash-env.ts';
import { pathLines } from '../job/path-lines.ts';
import { discover } from '../teleport/discovery.ts';
import { openDownloadServer } from '../teleport/download-server.ts';
import { type WebTrust, webTrust } from '../teleport/trust.ts';
import { openWebApi } from '../teleport/web.ts';
import { chooseRelease, leavesOpen } from '../tools/choose-release.ts';
import type { WireTrace } from '../teleport/wire-trace.ts';
import { type DownloadProgress, downloadProgress } from '../tools/download-progress.ts';
import { type Installation, type InstallRequest, installTools as install } from '../tools/install.ts';
import { releaseName } from '../tools/release.ts';
import { debugTrace } from './debug-trace.ts';
import { type InstallToolsArguments, readInstallToolsArguments } from './install-tools-flags.ts';
import { readPlan, writePlan } from './tools-plan.ts';
import { readToolsRequest, type ToolsRequest } from './tools-request.ts';
import { toolsJson, toolsText } from './tools-summary.ts';

const MAX_CA_BYTES = 1024 * 1024;

/** How every server is talked to. */
interface Connection {
  readonly trust: WebTrust;
  readonly retries: Retries;
  readonly signal: AbortSignal;
  readonly trace: WireTrace | undefined;
}

/** @throws MachineIdError: wrong input before anything is contacted, everything else as it happens */
export async function installTools(args: readonly string[], world: World): Promise<void> {
  const given = readInstallToolsArguments(args, world);
  const { files, signal } = world;
  const readText = (path: string) => files.readInput(path, { maxBytes: MAX_CA_BYTES, signal });
  const trust = await webTrust({ ...world, caFile: given.caFile, insecure: false, readText });
  let progress: DownloadProgress | undefined;
  const write = (text: string) => {
    progress?.end();
    world.stderr(text);
  };
  const trace = debugTrace(args, world, write);
  const { clock, random } = world;
  const log = createLog(write, { format: 'text', debug: false, nowMs: () => clock.nowMs() });
  const { timeoutMs, deadlineMs } = given;
  const retries = startRetries({ timeoutMs, deadlineMs, clock, random, log, signal });
  const connection = { trust, retries, signal, trace };
  const request =
    given.plan === undefined
      ? await decide(readToolsRequest(given.given, world), connection)
      : await readPlan(files, given.plan);
  world.mask.hide(decodeURIComponent(request.baseUrl.password));
  if (given.writePlan === undefined) {
    const { stderr, stderrIsTerminal } = world;
    progress = downloadProgress({ clock, write: stderr, isTerminal: stderrIsTerminal });
    await carryOut(request, connection, given, { ...world, stderr: write }, progress);
  } else {
    await writePlan(files, given.writePlan, request);
    world.stderr(`To be installed: ${request.tools.join(', ')} of Teleport ${releaseName(request.release)}\n`);
  }
}

/** Asks the cluster for what the request leaves open. */
async function decide(
  { wish, platform, proxy, ...rest }: ToolsRequest,
  connection: Connection,
): Promise<InstallRequest> {
  if (proxy === undefined || !leavesOpen(wish)) return { ...rest, release: chooseRelease(wish, platform, undefined) };
  const web = openWebApi({ address: proxy, ...connection });
  try {
    const { release } = await discover(web, connection.retries);
    return { ...rest, release: chooseRelease(wish, platform, release) };
  } finally {
    web.close();
  }
}

async function carryOut(
  request: InstallRequest,
  { trust, retries, signal, trace }: Connection,
  { exportVariables, json }: InstallToolsArguments,
  world: World,
  progress: DownloadProgress,
): Promise<void> {
  const { clock, files, largeFiles, environment, stderr } = world;
  // A file that cannot be written ends the command before anything is downloaded.
  const bashEnv = exportVariables ? await openBashEnv(files, environment) : undefined;
  const server = openDownloadServer({ trust, signal, trace });
  const download = { server, clock, retries, missingHint: missingHint(request) };
  let installation: Installation;
  try {
    installation = await install(request, { files, largeFiles, download, onProgress: progress.report });
  } finally {
    progress.end();
    server.close();
  }
  if (bashEnv !== undefined) await exportTools(bashEnv, installation.binDirectory, world);
  if (json) await world.result(toolsJson(request, installation));
  else stderr(toolsText(request, installation));
}

/** What is installed last comes first on PATH; the programs do not replace themselves by what the cluster offers. */
async function exportTools(bashEnv: string, directory: string, { files }: World): Promise<void> {
  const lines = `${pathLines(directory)}${exportLines(new Map([['TELEPORT_TOOLS_VERSION', 'off']]))}`;
  await removeLines(files, bashEnv, [lines]);
  await appendLines(files, bashEnv, lines);
}

function missingHint({ release: { version, edition, platform } }: InstallRequest): string {
  const other =
    platform.system === 'darwin'
      ? 'for macOS, older versions are only published as .pkg'
      : 'development builds are not published';
  return `Check that Teleport ${version} (${edition}) is published for ${platform.system} on ${platform.architecture}: ${other}; a mirror must hold the archive and its .sha256.`;
}
