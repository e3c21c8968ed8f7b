/**
 * How a step of the orb calls this program: `orb-step NAME`, with its parameters in `MACHINE_ID_PARAM_*`. They become
 * the arguments of an ordinary command. Values are never executed.
 */
import { join } from 'node:path';
import type { OrbParameter } from '../config/declaration.ts';
import { SETTINGS } from '../config/settings.ts';
import type { World } from '../effects/world.ts';
import { MachineIdError, type Problem } from '../errors.ts';
import { exportedToLaterSteps } from '../job/bash-env.ts';
import { ORB_STEPS, type StepParameter } from './orb-steps.ts';
import { inOrbTerms } from './orb-terms.ts';

export interface Invocation {
  readonly args: readonly string[];
  readonly world: World;
}

type Environment = World['environment'];

/**
 * The ordinary command that the step calls.
 * @throws MachineIdError USAGE_INVALID with every invalid parameter
 */
export async function invocationOf({ args: [, name = ''], world }: Invocation): Promise<Invocation> {
  const step = ORB_STEPS[name];
  if (step === undefined) {
    throw new MachineIdError('USAGE_INVALID', `there is no step ${JSON.stringify(name)} of the orb`, {
      hint: `The steps are ${Object.keys(ORB_STEPS).join(', ')}.`,
    });
  }
  const environment = await stepEnvironment(name, world);
  const problems: Problem[] = [];
  const found = { ...world, environment };
  const flags = await flagsOf(step.parameters, found, problems);
  if (name === 'plan_tools') problems.push(...uncacheable(environment));
  const command = name === 'exec' ? shellCommand(environment, problems) : [];
  if (problems.length > 0) {
    throw new MachineIdError('USAGE_INVALID', 'the parameters of this step are invalid', {
      hint: 'Correct them in the config; set variables in a context, in the project settings or in an earlier step.',
      problems,
    });
  }
  return {
    args: [step.command, ...flags, ...command],
    world: { ...found, environment: { ...environment, ...variablesOf(step.parameters, environment) } },
  };
}

/** The same world, with messages that name the parameters of the orb instead of flags. */
export function withOrbTerms(world: World): World {
  return {
    ...world,
    stderr: (words) => {
      world.stderr(inOrbTerms(words));
    },
    stdout: (words) => world.stdout(inOrbTerms(words)),
    mask: { ...world.mask, apply: (words) => inOrbTerms(world.mask.apply(words)) },
  };
}

async function flagsOf(
  parameters: readonly StepParameter[],
  world: World,
  problems: Problem[],
): Promise<readonly string[]> {
  const { environment } = world;
  const flags: string[] = [];
  for (const { flag, orb } of parameters) {
    if (flag === undefined || (orb.onlyWith !== undefined && !isOn(environment, orb.onlyWith))) continue;
    if (orb.type === 'boolean') {
      const { default: preset = false, name } = orb;
      if (parameter(environment, name) !== '' && isOn(environment, name) !== preset) flags.push(`--${flag}`);
      continue;
    }
    const value = valueOf(orb, environment, problems);
    if (value === '' || (orb.name === SETTINGS.config.orb.name && (await mayBeMissing(value, world)))) continue;
    // One argument, because a value may begin with a dash.
    flags.push(`--${flag}=${value}${orb.suffix ?? ''}`);
  }
  return flags;
}

/** The value of the flag; '' if the flag is left out. */
function valueOf({ default: preset, name, type }: OrbParameter, environment: Environment, problems: Problem[]): string {
  const written = parameter(environment, name);
  if (type === undefined) return expanded(written, name, environment, problems);
  return written === String(preset) ? '' : written;
}

/** A parameter without a flag becomes an environment variable. */
function variablesOf(parameters: readonly StepParameter[], environment: Environment): Environment {
  return Object.fromEntries(
    parameters.flatMap(({ env, flag, orb }) =>
      flag === undefined && env !== undefined && isOn(environment, orb.name) ? [[env, '1']] : [],
    ),
  );
}

function parameter(environment: Environment, name: string): string {
  // CircleCI does not promise that a variable with an empty value is set.
  return environment[`MACHINE_ID_PARAM_${name.toUpperCase()}`] ?? '';
}

/** A boolean is passed as 1 or 0, but some versions of the compiler write true or false. */
function isOn(environment: Environment, name: string): boolean {
  return ['1', 'true'].includes(parameter(environment, name));
}

/** Replaces `$NAME`, `${NAME}` and a leading `~/`, once: the values of variables are not expanded again. */
function expanded(written: string, path: string, environment: Environment, problems: Problem[]): string {
  const withHome = written.startsWith('~/') ? `\${HOME}${written.slice(1)}` : written;
  return withHome.replace(/\$(?:\{([^}]*)\}|([A-Za-z_]\w*))/g, (whole, braced?: string, plain?: string) => {
    const name = braced ?? plain ?? '';
    const value = /^[A-Za-z_]\w*$/.test(name) ? environment[name] : undefined;
    if (value !== undefined) return value;
    const what = /^[A-Za-z_]\w*$/.test(name)
      ? `contains ${whole}, but the job has no variable of that name`
      : `contains ${whole}, which is not the name of a variable`;
    problems.push({ path, message: `${JSON.stringify(written)} ${what}` });
    return '';
  });
}

/** The default file may be missing if other parameters replace it; a file that was named must exist. */
async function mayBeMissing(config: string, { environment, files, workingDirectory }: World): Promise<boolean> {
  if (config !== SETTINGS.config.orb.default || (await files.entry(join(workingDirectory, config))) !== undefined)
    return false;
  return ['proxy', 'token', 'destination'].some((name) => parameter(environment, name) !== '');
}

/** As CircleCI starts the shell of a step: it ends with the first command that fails. */
function shellCommand(environment: Environment, problems: Problem[]): readonly string[] {
  const command = parameter(environment, 'command');
  if (command.trim() === '') problems.push({ path: 'command', message: 'is empty' });
  const isBash = environment.MACHINE_ID_SHELL === 'bash';
  return ['--', ...(isBash ? ['bash', '-eo', 'pipefail', '-c'] : ['sh', '-ec']), command];
}

/** The cache steps use the folder exactly as it is written in the config. */
function uncacheable(environment: Environment): readonly Problem[] {
  const folder = parameter(environment, 'tools_dir');
  if (!isOn(environment, 'cache') || !/\$|\/$/.test(folder)) return [];
  const message = `${JSON.stringify(folder)} cannot be cached: write it without variables and without a slash at the end, or set cache: false`;
  return [{ path: 'tools_dir', message }];
}

/** Only bash reads `$BASH_ENV`; other shells do not get the variables exported by earlier steps. */
async function stepEnvironment(step: string, { environment, files, stderr }: World): Promise<Environment> {
  if (environment.MACHINE_ID_SHELL !== 'other') return environment;
  if (step === 'install_tools' || (step === 'join' && isOn(environment, 'export_env'))) {
    stderr('Note: this shell is not bash: begin later steps with  . "$BASH_ENV"\n');
  }
  const exported = await exportedToLaterSteps(files, environment);
  return { ...Object.fromEntries(exported), ...environment, ...pathWith(exported, environment) };
}

function pathWith(exported: ReadonlyMap<string, string>, { PATH: path = '' }: Environment): Environment {
  const more = exported.get('PATH') ?? '';
  return more === '' ? {} : { PATH: path === '' ? more : `${more}:${path}` };
}
