/** Runs the installed tbot once, with a configuration that this program has written. */
import { dirname, join, resolve } from 'node:path';
import type { PlannedRun } from '../config/plan.ts';
import type { Files } from '../effects/files.ts';
import type { ProgramExit } from '../effects/programs.ts';
import type { Secret } from '../effects/secret.ts';
import type { World } from '../effects/world.ts';
import { MachineIdError, printable } from '../errors.ts';
import { temporaryName } from '../files/staged-file.ts';
import { inStateDirectory } from '../job/manifest.ts';
import type { JoinMethod } from '../job/token-request.ts';
import { GENERIC_OIDC_SINCE } from '../join/generic-oidc.ts';
import type { RunContext } from '../outputs/work.ts';
import {
  type ClusterFacts,
  compareVersions,
  OLDEST_TESTED,
  parseServerVersion,
  type ServerVersion,
} from '../teleport/ping.ts';
import { OIDC_TOKEN_VARIABLE, tbotFile } from './config-file.ts';

export interface TbotSettings {
  /** What is at the address of the plan. */
  readonly server: 'proxy' | 'auth';
  readonly jwt: Secret;
  /** As given; undefined to leave the choice to tbot. */
  readonly caFile: string | undefined;
  /** Variables that name the program that started tbot. */
  readonly helper: Readonly<Record<string, string>>;
}

/** CircleCI ends a step without output after ten minutes, with a less helpful message. */
const MAX_RUN_MS = 8 * 60 * 1000;

/** @throws MachineIdError TBOT_MISSING, TBOT_FAILED, or the reason of the run's signal */
export async function runTbot(run: PlannedRun, settings: TbotSettings): Promise<void> {
  const { outputs, plan, record, world } = run;
  const { environment, files, workingDirectory } = world;
  const contents = tbotFile({ plan, server: settings.server }, outputs, workingDirectory);
  const { failures, value: path } = await inStateDirectory(files, environment, async (state) => {
    const directory = join(state, temporaryName(files));
    const file = join(directory, 'tbot.yaml');
    await record.directory(directory);
    await record.files([{ path: file, contents, temporaries: [] }]);
    try {
      await files.makeDirectory(directory);
      await files.createFile(file, contents);
    } catch (error) {
      await removeFile(file, files);
      throw error;
    }
    return file;
  });
  if (failures !== undefined) throw noDirectory(failures);
  try {
    await start(run, path, tbotEnvironment(run, settings, dirname(path)));
  } finally {
    await removeFile(path, files);
  }
}

/** Removes the file and its directory. */
async function removeFile(path: string, files: Pick<Files, 'remove' | 'removeDirectory'>): Promise<void> {
  await files.remove(path);
  await files.removeDirectory(dirname(path));
}

function noDirectory(failures: readonly string[]): MachineIdError {
  const message = `the configuration of tbot cannot be written: ${failures.join('; ')}`;
  return new MachineIdError('TBOT_FAILED', message, {
    hint: 'Give the job a writable home directory or TMPDIR with free space.',
  });
}

/**
 * The variables of the job, including TELEPORT_ANONYMOUS_TELEMETRY and those for proxies, except for settings that the
 * file has. In tbot, variables take precedence over the file, TELEPORT_BOT_TOKEN drops its `onboarding`, and the two
 * addresses that an earlier run has exported exclude each other.
 */
function tbotEnvironment(
  { world }: Pick<RunContext, 'world'>,
  { caFile, helper, jwt }: TbotSettings,
  emptyDirectory: string,
): Readonly<Record<string, string | undefined>> {
  const { environment, workingDirectory } = world;
  const rest = Object.entries(environment).filter(([name]) => !IN_THE_FILE.includes(name));
  return {
    ...Object.fromEntries(rest),
    ...helper,
    // This program may have found the token elsewhere.
    [OIDC_TOKEN_VARIABLE]: jwt.reveal(),
    // Go reads the system's certificate directories in addition to the file, unless a variable names others.
    ...(caFile === undefined ? {} : { SSL_CERT_FILE: resolve(workingDirectory, caFile), SSL_CERT_DIR: emptyDirectory }),
  };
}

const IN_THE_FILE = ['TBOT_CONFIG', 'TBOT_CONFIG_PATH', 'TELEPORT_AUTH_SERVER', 'TELEPORT_BOT_TOKEN', 'TELEPORT_PROXY'];

/** ECMA-48 section 8.3.117 (SGR). */
// eslint-disable-next-line no-control-regex -- such a sequence begins with a control character
const COLOURS = /\u001b\[[\d;]*m/g;

async function start(
  { plan, world }: PlannedRun,
  path: string,
  environment: Readonly<Record<string, string | undefined>>,
): Promise<void> {
  const { follow, signal, stderr } = world;
  const args = ['start', '-c', path, '--oneshot', ...(plan.logFormat === 'json' ? ['--log-format', 'json'] : [])];
  const onLine = (line: string) => {
    stderr(`${printable(line.replace(COLOURS, ''))}\n`);
  };
  const ended = await follow('tbot', args, { environment, timeoutMs: MAX_RUN_MS, signal, onLine });
  signal.throwIfAborted();
  const failure = failureOf(ended);
  if (failure !== undefined) throw failure;
}

/** Undefined if tbot ended without an error. */
export function failureOf(ended: ProgramExit): MachineIdError | undefined {
  switch (ended.outcome) {
    case 'exited':
      return ended.exitCode === 0 ? undefined : failed(`ended with exit code ${ended.exitCode}`);
    case 'killed':
      return failed(`was ended by ${ended.by}`);
    case 'late':
      return failed(`did not end within ${MAX_RUN_MS / 60_000} minutes`);
    case 'not started':
      return missingTbot(ended.reason);
    default:
      return ended satisfies never;
  }
}

function failed(what: string): MachineIdError {
  return new MachineIdError('TBOT_FAILED', `tbot ${what}`, {
    hint: 'See the output of tbot above. Without --engine tbot (orb parameter engine), this program joins by itself and explains refusals.',
  });
}

/** @param reason Node's code, such as ENOENT */
function missingTbot(reason: string): MachineIdError {
  const what = reason === 'ENOENT' ? 'is not on PATH' : `cannot be started (${reason})`;
  return new MachineIdError('TBOT_MISSING', `tbot ${what}`, {
    hint: 'Install it earlier in the job: install_tools with tools: tbot puts it on PATH. Or leave out --engine tbot (orb parameter engine).',
  });
}

// Whether the tbot on PATH fits the cluster, before it is started.

/** Starting takes a moment on a busy machine. */
const VERSION_TIMEOUT_MS = 15_000;
/** It prints one line. */
const MAX_LINES = 50;

/**
 * Undefined if tbot does not print its version.
 * @throws MachineIdError TBOT_MISSING, or the reason of the run's signal
 */
export async function readTbotVersion({
  environment,
  follow,
  signal,
}: Pick<World, 'environment' | 'follow' | 'signal'>): Promise<ServerVersion | undefined> {
  const lines: string[] = [];
  const onLine = (line: string) => {
    if (lines.length < MAX_LINES) lines.push(line);
  };
  const ended = await follow('tbot', ['version'], { environment, timeoutMs: VERSION_TIMEOUT_MS, signal, onLine });
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

/** An Auth Service does not report the oldest client. */
type ReportedVersions = Pick<ClusterFacts, 'clusterName' | 'serverVersion'> &
  Partial<Pick<ClusterFacts, 'minClientVersion'>>;

/**
 * Teleport accepts clients of the cluster's major version and of the one before it.
 * @returns a warning if tbot may work anyway
 * @throws MachineIdError TBOT_INCOMPATIBLE
 */
export function checkTbotVersion(
  tbot: ServerVersion | undefined,
  cluster: ReportedVersions,
  joinMethod: JoinMethod,
): string | undefined {
  const { clusterName, minClientVersion, serverVersion } = cluster;
  const theCluster = `the cluster ${clusterName} (Teleport ${serverVersion.text})`;
  if (tbot === undefined) return `"tbot version" does not print its version; it may not fit ${theCluster}`;
  if (compareVersions(tbot, OLDEST_TESTED) < 0) {
    throw unsuitable(`tbot ${tbot.text} is too old: this program works with tbot ${OLDEST_TESTED.text} or later`);
  }
  if (joinMethod === 'generic_oidc' && compareVersions(tbot, GENERIC_OIDC_SINCE) < 0) {
    throw unsuitable(`tbot ${tbot.text} does not know the join method generic_oidc, which tbot 18.11 and later have`);
  }
  const oldestMajor = serverVersion.major - 1;
  if (tbot.major < oldestMajor) {
    throw unsuitable(`tbot ${tbot.text} is too old for ${theCluster}, which requires tbot ${oldestMajor} or later`);
  }
  if (minClientVersion !== undefined && compareVersions(tbot, minClientVersion) < 0) {
    throw unsuitable(
      `tbot ${tbot.text} is too old for ${theCluster}, which requires ${minClientVersion.text} or later`,
    );
  }
  return tbot.major > serverVersion.major
    ? `tbot ${tbot.text} is newer than ${theCluster}; Teleport does not support clients of a newer major version`
    : undefined;
}

function unsuitable(message: string): MachineIdError {
  return new MachineIdError('TBOT_INCOMPATIBLE', message, {
    hint: 'Install the tbot of the cluster: install_tools with tools: tbot installs it. Or leave out --engine tbot (orb parameter engine).',
  });
}
