/** Runs the tbot that is installed, once, with a configuration of this program's making. */
import { dirname, join, resolve } from 'node:path';
import { tbotFile } from '../config/tbot-file.ts';
import type { Ended } from '../effects/child-program.ts';
import type { Files } from '../effects/files.ts';
import type { Secret } from '../effects/secret.ts';
import { MachineIdError, printable } from '../errors.ts';
import { inStateDirectory } from '../job/state-directory.ts';
import { temporaryName } from '../outputs/temporary-name.ts';
import type { RunContext } from './context.ts';

export interface TbotSettings {
  readonly jwt: Secret;
  /** As given; undefined leaves it to tbot whom it trusts. */
  readonly caFile: string | undefined;
  /** Variables that tell who has started tbot. */
  readonly helper: Readonly<Record<string, string>>;
}

/** CircleCI ends a step that prints nothing for ten minutes, and says less about it. */
const LONGEST_RUN_MS = 8 * 60 * 1000;

/** @throws MachineIdError TBOT_MISSING, TBOT_FAILED, or the reason of the run's signal */
export async function runTbot(run: RunContext, settings: TbotSettings): Promise<void> {
  const { outputs, plan, record, world } = run;
  const { environment, files, workingDirectory } = world;
  const contents = tbotFile(plan, outputs, workingDirectory);
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

/** With its directory. */
async function removeFile(path: string, files: Pick<Files, 'remove' | 'removeDirectory'>): Promise<void> {
  await files.remove(path);
  await files.removeDirectory(dirname(path));
}

/**
 * What the job has, TELEPORT_ANONYMOUS_TELEMETRY and proxies among it, except for what the file says already: to tbot
 * variables count more than the file, TELEPORT_BOT_TOKEN drops its `onboarding`, and the two addresses that a run before
 * has exported exclude each other.
 */
export function tbotEnvironment(
  { world }: Pick<RunContext, 'world'>,
  { caFile, helper, jwt }: TbotSettings,
  emptyDirectory: string,
): Readonly<Record<string, string | undefined>> {
  const { environment, workingDirectory } = world;
  const rest = Object.entries(environment).filter(([name]) => !IN_THE_FILE.includes(name));
  return {
    ...Object.fromEntries(rest),
    ...helper,
    // The only variable that tbot reads; this program may have found the token elsewhere.
    CIRCLE_OIDC_TOKEN: jwt.reveal(),
    // Go reads the system's directories of certificates beside the file, unless others are named.
    ...(caFile === undefined ? {} : { SSL_CERT_FILE: resolve(workingDirectory, caFile), SSL_CERT_DIR: emptyDirectory }),
  };
}

const IN_THE_FILE = ['TBOT_CONFIG', 'TBOT_CONFIG_PATH', 'TELEPORT_AUTH_SERVER', 'TELEPORT_BOT_TOKEN', 'TELEPORT_PROXY'];

/** ECMA-48 section 8.3.117 (SGR). */
// eslint-disable-next-line no-control-regex -- such a sequence begins with a control character
const COLOURS = /\u001b\[[\d;]*m/g;

async function start(
  { plan, world }: RunContext,
  path: string,
  environment: Readonly<Record<string, string | undefined>>,
): Promise<void> {
  const { follow, signal, stderr } = world;
  const args = ['start', '-c', path, '--oneshot', ...(plan.logFormat === 'json' ? ['--log-format', 'json'] : [])];
  const onLine = (line: string) => {
    stderr(`${printable(line.replace(COLOURS, ''))}\n`);
  };
  const ended = await follow('tbot', args, { environment, timeoutMs: LONGEST_RUN_MS, signal, onLine });
  signal.throwIfAborted();
  const failure = failureOf(ended);
  if (failure !== undefined) throw failure;
}

/** Undefined when tbot has ended without an error. */
export function failureOf(ended: Ended): MachineIdError | undefined {
  switch (ended.outcome) {
    case 'exited':
      return ended.exitCode === 0 ? undefined : failed(`ended with exit code ${ended.exitCode}`);
    case 'killed':
      return failed(`was ended by ${ended.by}`);
    case 'late':
      return failed(`did not end within ${LONGEST_RUN_MS / 60_000} minutes`);
    case 'not started':
      return missingTbot(ended.reason);
    default:
      return ended satisfies never;
  }
}

function failed(what: string): MachineIdError {
  return new MachineIdError('TBOT_FAILED', `tbot ${what}`, {
    hint: 'Its own words stand above. Without --engine tbot (orb parameter engine), this program joins by itself and explains refusals.',
  });
}

/** @param reason Node's code, such as ENOENT */
export function missingTbot(reason: string): MachineIdError {
  const what = reason === 'ENOENT' ? 'is not on PATH' : `cannot be started (${reason})`;
  return new MachineIdError('TBOT_MISSING', `tbot ${what}`, {
    hint: 'Install it earlier in the job: install_tools with tools: tbot puts it on PATH. Or leave out --engine tbot (orb parameter engine).',
  });
}

function noDirectory(failures: readonly string[]): MachineIdError {
  const message = `the configuration of tbot cannot be written: ${failures.join('; ')}`;
  return new MachineIdError('TBOT_FAILED', message, {
    hint: 'Give the job a home directory or a TMPDIR that it may write to and that has room.',
  });
}
