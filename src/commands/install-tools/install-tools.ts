/** `install-tools`: Teleport's own programs, downloaded and verified, for later steps of the job. */
import { join } from 'node:path';
import { debugTrace } from '../../cli/flags.ts';
import type { Clock } from '../../effects/time.ts';
import { createLog } from '../../effects/log.ts';
import { type Retries, startRetries } from '../../effects/retry.ts';
import type { World } from '../../effects/world.ts';
import { appendLines, exportLines, openBashEnv, pathLines, removeLines } from '../../job/bash-env.ts';
import type { WireTrace } from '../../net/trace.ts';
import { type WebTrust, webTrust } from '../../net/trust.ts';
import { openWebApi } from '../../net/web.ts';
import { discover } from '../../teleport/ping.ts';
import { openDownloadServer } from './download-server.ts';
import { type InstallToolsArguments, readInstallToolsArguments } from './flags.ts';
import { type Installation, type InstallRequest, installTools as install } from './install.ts';
import { chooseRelease, needsCluster, releaseName } from './release.ts';
import { readPlan, readToolsRequest, type ToolsRequest, writePlan } from './request.ts';

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
  if (proxy === undefined || !needsCluster(wish)) return { ...rest, release: chooseRelease(wish, platform, undefined) };
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

// What `install-tools` prints at its end.

function toolsText({ release, tools }: InstallRequest, { binDirectory, source }: Installation): string {
  const { version, edition, fips, platform } = release;
  const build = [edition, ...(fips ? ['FIPS'] : []), platform.system, platform.architecture].join(', ');
  const done = source === 'download' ? 'Installed' : 'Installed already';
  return `${done}: ${tools.join(', ')} of Teleport ${version} (${build})\n  ${binDirectory}\n`;
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

// Tells a person how far a download has come.

interface ProgressOptions {
  readonly clock: Clock;
  readonly write: (text: string) => void;
  /** Whether one line can be written over itself. */
  readonly isTerminal: boolean;
}

interface DownloadProgress {
  /** Called for every portion; says something now and then. */
  readonly report: (bytes: number, totalBytes: number | undefined) => void;
  /** Ends the line, if one was begun. */
  readonly end: () => void;
}

const TERMINAL_PAUSE_MS = 200;
const PLAIN_PAUSE_MS = 5000;
const MEGABYTE = 1_000_000;

export function downloadProgress({ clock, write, isTerminal }: ProgressOptions): DownloadProgress {
  const startedAtMs = clock.elapsedMs();
  let saidAtMs = startedAtMs;
  let lineIsOpen = false;
  return {
    report: (bytes, totalBytes) => {
      const nowMs = clock.elapsedMs();
      const whole = bytes === totalBytes;
      if (!whole && nowMs - saidAtMs < (isTerminal ? TERMINAL_PAUSE_MS : PLAIN_PAUSE_MS)) return;
      saidAtMs = nowMs;
      const line = progressLine(bytes, totalBytes, nowMs - startedAtMs);
      // Blanks cover what a longer line before has left.
      write(isTerminal ? `\r${line.padEnd(60)}` : `${line}\n`);
      lineIsOpen = isTerminal;
    },
    end: () => {
      if (lineIsOpen) write('\n');
      lineIsOpen = false;
    },
  };
}

function progressLine(bytes: number, totalBytes: number | undefined, elapsedMs: number): string {
  const speed = `${(bytes / MEGABYTE / Math.max(elapsedMs / 1000, 0.001)).toFixed(1)} MB/s`;
  const megabytes = (bytes / MEGABYTE).toFixed(1);
  if (totalBytes === undefined) return `downloaded ${megabytes} MB, ${speed}`;
  const percent = Math.floor((bytes / Math.max(totalBytes, 1)) * 100);
  return `downloaded ${percent}% of ${(totalBytes / MEGABYTE).toFixed(1)} MB, ${speed}`;
}
