/** `exec`: runs one command with credentials that only it can use. */
import { basename, join } from 'node:path';
import type { PlannedRun } from '../../config/plan.ts';
import type { OrphanGuard } from '../../effects/orphan-guard.ts';
import type { World } from '../../effects/world.ts';
import { MachineIdError } from '../../errors.ts';
import { privatePlace } from '../../files/private-directory.ts';
import type { RunEnd } from '../../outputs/result.ts';
import { exportedVariables, exportWarnings } from '../exports.ts';
import { findToken, openRunJournal, prepareAndWrite, readTokenFile, warnAboutStaleVariables } from '../run.ts';
import { readConfiguration } from '../run-configuration.ts';
import { withOwnBashEnv } from './bash-env.ts';
import { type ExecArguments, readExecArguments } from './flags.ts';
import { DIRECTORY_VARIABLE, privatePath, removeAbandoned, withPrivateDirectory } from './private-directory.ts';
import { flagsWithOutputs, inDirectory } from './private-outputs.ts';
import { secretsIn, secretsOf } from './secrets.ts';

/**
 * @returns the exit code of the command
 * @throws MachineIdError as `run` does; COMMAND_NOT_STARTED, CLEANUP_FAILED
 */
export async function exec(args: readonly string[], world: World): Promise<number> {
  const given = readExecArguments(args);
  const journal = openRunJournal(world);
  const place = await privatePlace(world.files, world.environment);
  const directory = privatePath(place);
  const flags = await flagsWithOutputs(given.flags, directory, world);
  const configured = await readConfiguration({ ...given, flags }, journal, world);
  const run = { ...configured, outputs: inDirectory(configured.outputs, directory) };
  const tokenFile = await readTokenFile(given, run);
  const token = await findToken(given, run);
  for (const failure of await removeAbandoned(world))
    journal.warn(`left by an earlier "exec" that was killed: ${failure}`);
  return withPrivateDirectory(directory, run, async (guard) => {
    const { failure, ...result } = await prepareAndWrite(given, { run, token, tokenFile });
    if (failure !== undefined) throw failure;
    await warnAboutResult(result, run);
    hideSecrets([token.jwt.reveal(), ...(await secretsOf(result.outputs, world.files))], world);
    world.signal.throwIfAborted();
    journal.info(
      `credentials are in ${directory}${place.isInMemory ? ', in memory' : ''}; running ${given.command[0]}`,
    );
    return runCommand(given, { directory, guard, result, run });
  });
}

async function warnAboutResult(result: Omit<RunEnd, 'failure'>, run: PlannedRun): Promise<void> {
  const { journal, world } = run;
  for (const { notices, path } of result.outputs) for (const notice of notices) journal.warn(`${path}: ${notice}`);
  for (const warning of exportWarnings(result, world.files.platform)) journal.warn(warning);
  await warnAboutStaleVariables({ ...result, exported: [] }, run, true);
}

/** In what this program and the command print from now on. */
function hideSecrets(secrets: readonly string[], { mask }: World): void {
  const [token = '', ...others] = secrets;
  for (const secret of new Set([...secretsIn(token), ...others])) mask.hide(secret);
}

interface Prepared {
  readonly directory: string;
  readonly guard: OrphanGuard;
  readonly result: Omit<RunEnd, 'failure'>;
  readonly run: PlannedRun;
}

async function runCommand({ command }: ExecArguments, { directory, guard, result, run }: Prepared): Promise<number> {
  const { environment, files, mask, runInForeground } = run.world;
  const [program, ...args] = command;
  const variables = exportedVariables(result, files.platform);
  const end = await withOwnBashEnv({ directory, variables }, run.world, (bashEnv) =>
    runInForeground(program, [...sshArguments(command, result), ...args], {
      environment: {
        ...withoutParameters(environment),
        BASH_ENV: bashEnv,
        ...Object.fromEntries(variables),
        [DIRECTORY_VARIABLE]: directory,
      },
      openMask: () => mask.openStream(),
      onStart: (group) => {
        if (group !== undefined) guard.watch(group);
      },
    }),
  );
  if (end.outcome === 'ended') return end.exitCode;
  throw new MachineIdError('COMMAND_NOT_STARTED', `${program} cannot be started: ${reasonText(end.reason)}`, {
    hint: 'Check the name of the program, whether it is installed, and whether its directory is on PATH.',
  });
}

/** What orb steps pass to this program. */
function withoutParameters(environment: World['environment']): World['environment'] {
  return Object.fromEntries(Object.entries(environment).filter(([name]) => !/^MACHINE_ID_(?:PARAM_|STEP$)/.test(name)));
}

const SSH_PROGRAMS: readonly string[] = ['ssh', 'scp', 'sftp'];

/** OpenSSH has no variable for its configuration. */
function sshArguments([program, ...args]: ExecArguments['command'], { outputs }: Pick<RunEnd, 'outputs'>) {
  const output = outputs.find(({ files }) => files.includes('ssh_config'));
  if (output === undefined || !SSH_PROGRAMS.includes(basename(program))) return [];
  return args.some((arg) => arg.startsWith('-F')) ? [] : ['-F', join(output.destination, 'ssh_config')];
}

function reasonText(reason: string): string {
  if (reason === 'ENOENT') return 'there is no such program';
  return reason === 'EACCES' ? 'permission denied' : reason;
}
