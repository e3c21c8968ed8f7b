/** `install-tools`: downloads, verifies and installs Teleport's own programs for later steps of the job. */
import { join } from 'node:path';
import { debugTrace } from '../../cli/flags.ts';
import { createLog } from '../../effects/log.ts';
import { type Retries, startRetries } from '../../effects/retry.ts';
import type { World } from '../../effects/world.ts';
import { appendLines, exportLines, openBashEnv, pathLines, removeLines } from '../../job/bash-env.ts';
import { type Network, openNetwork } from '../../net/network.ts';
import type { WireTrace } from '../../net/trace.ts';
import { type WebTrust, webTrust } from '../../net/trust.ts';
import { openWebApi } from '../../net/web.ts';
import { discover } from '../../teleport/ping.ts';
import { openDownloadServer } from './download-server.ts';
import { type InstallToolsArguments, readInstallToolsArguments } from './flags.ts';
import { type Installation, type InstallRequest, installTools as install } from './install.ts';
import { type DownloadProgress, downloadProgress } from './progress.ts';
import { chooseRelease, needsCluster, releaseName } from './release.ts';
import { readPlan, readToolsRequest, type ToolsRequest, writePlan } from './request.ts';

const MAX_CA_BYTES = 1024 * 1024;

/** Settings for the connections to all servers. */
interface Connection {
  readonly network: Network;
  readonly trust: WebTrust;
  readonly retries: Retries;
  readonly signal: AbortSignal;
  readonly trace: WireTrace | undefined;
}

/** @throws MachineIdError for invalid input before anything is contacted, and for every later failure */
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
  const network = openNetwork({ ...world, authorities: () => Promise.resolve(trust.elsewhere?.()), timeoutMs });
  const connection = { network, trust, retries, signal, trace };
  const request =
    given.plan === undefined
      ? await resolveRequest(readToolsRequest(given.given, world), connection)
      : await readPlan(files, given.plan);
  world.mask.hide(decodeURIComponent(request.baseUrl.password));
  if (given.writePlan === undefined) {
    const { stderr, stderrIsTerminal } = world;
    progress = downloadProgress({ clock, write: stderr, isTerminal: stderrIsTerminal });
    await runInstallation(request, connection, given, { ...world, stderr: write }, progress);
  } else {
    await writePlan(files, given.writePlan, request);
    world.stderr(`Will install ${request.tools.join(', ')} of Teleport ${releaseName(request.release)}\n`);
  }
}

/** Chooses the release; asks the cluster for the parts that the request leaves open. */
async function resolveRequest(
  { requestedRelease, platform, proxy, ...rest }: ToolsRequest,
  connection: Connection,
): Promise<InstallRequest> {
  if (proxy === undefined || !needsCluster(requestedRelease))
    return { ...rest, release: chooseRelease(requestedRelease, platform, undefined) };
  const web = openWebApi({ address: proxy, ...connection });
  try {
    const { release } = await discover(web, connection.retries);
    return { ...rest, release: chooseRelease(requestedRelease, platform, release) };
  } finally {
    web.close();
  }
}

async function runInstallation(
  request: InstallRequest,
  { network, trust, retries, signal, trace }: Connection,
  { exportVariables, json }: InstallToolsArguments,
  world: World,
  progress: DownloadProgress,
): Promise<void> {
  const { clock, files, environment, openLargeFiles, stderr } = world;
  const largeFiles = await openLargeFiles();
  // Opened first, so that an unwritable file fails the command before anything is downloaded.
  const bashEnv = exportVariables ? await openBashEnv(files, environment) : undefined;
  const server = openDownloadServer({ network, trust, signal, trace });
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

/** Puts the directory first on PATH, and keeps the programs from updating themselves to the cluster's version. */
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
  return `Check that Teleport ${version} (${edition}) is published for ${platform.system} on ${platform.architecture}: ${other}; a mirror must have the archive and its .sha256 file.`;
}

function toolsText({ release, tools }: InstallRequest, { binDirectory, source }: Installation): string {
  const { version, edition, fips, platform } = release;
  const build = [edition, ...(fips ? ['FIPS'] : []), platform.system, platform.architecture].join(', ');
  const result = source === 'download' ? 'Installed' : 'Already installed';
  return `${result}: ${tools.join(', ')} of Teleport ${version} (${build})\n  ${binDirectory}\n`;
}

function toolsJson(
  { release, tools }: InstallRequest,
  { binDirectory, source, archiveUrl, archiveSha256 }: Installation,
): string {
  const { version, edition, fips, platform } = release;
  const suffix = platform.system === 'windows' ? '.exe' : '';
  return `${JSON.stringify({
    version,
    edition,
    fips,
    platform: `${platform.system}-${platform.architecture}`,
    source,
    archive: archiveUrl.pathname.split('/').at(-1),
    sha256: archiveSha256,
    directory: binDirectory,
    tools: Object.fromEntries(tools.map((tool) => [tool, join(binDirectory, `${tool}${suffix}`)])),
  })}\n`;
}
