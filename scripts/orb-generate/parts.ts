/** The generated parts of the orb, as lines of YAML, from the declarations of its parameters: mostly those of flags. */
import { ORB_STEPS, type StepParameter } from '../../src/commands/orb-steps.ts';
import { INSTALL_PARAMETERS } from './install-parameters.ts';

/** The steps of each command of the orb that call the script. */
const COMMANDS: Readonly<Record<string, readonly string[]>> = {
  join: ['join'],
  tunnel: ['tunnel'],
  doctor: ['doctor'],
  install_tools: ['plan_tools', 'install_tools'],
  exec: ['exec'],
  cleanup: ['cleanup'],
};

/**
 * `parameters of COMMAND` and `environment of STEP`; for the job `run`, which calls `install` and `join`, the parameters that
 * it has for each, and the arguments that it makes of them.
 */
export function orbParts(): ReadonlyMap<string, readonly string[]> {
  const ofJob = declaredBy(['join']).filter(({ orb }) => orb.ofJob !== false);
  return new Map([
    ...Object.entries(COMMANDS).map(
      ([command, steps]) =>
        [
          `parameters of ${command}`,
          declaredBy(steps).flatMap(['exec', 'tunnel'].includes(command) ? brieflyDeclared : declaration),
        ] as const,
    ),
    ...Object.keys(ORB_STEPS).map((step) => [`environment of ${step}`, environment(step)] as const),
    ['parameters of install', INSTALL_PARAMETERS.flatMap(declaration)],
    [
      'parameters of the job for install',
      INSTALL_PARAMETERS.flatMap(({ helpOfJob, orb }) => declaration({ orb, help: helpOfJob })),
    ],
    ['arguments of install', INSTALL_PARAMETERS.map(argument)],
    ['parameters of the job for join', ofJob.flatMap(declaration)],
    ['arguments of join', ofJob.map(argument)],
  ]);
}

/** The size of the packed orb has a limit, so a description of `join` is not repeated. */
function brieflyDeclared(parameter: StepParameter): readonly string[] {
  const isOfJoin = parametersOf('join').some(({ orb, help }) => orb === parameter.orb && help === parameter.help);
  return declaration(
    isOfJoin ? { orb: { ...parameter.orb, description: undefined, more: undefined }, help: 'As for join.' } : parameter,
  );
}

function declaredBy(steps: readonly string[]): readonly StepParameter[] {
  const all = steps.flatMap((step) => parametersOf(step)).filter(({ orb }) => orb.declaredElsewhere !== true);
  return [...new Map(all.map((parameter) => [parameter.orb.name, parameter])).values()];
}

function parametersOf(step: string): readonly StepParameter[] {
  return ORB_STEPS[step]?.parameters ?? [];
}

function environment(step: string): readonly string[] {
  const names = new Set(parametersOf(step).map(({ orb }) => orb.name));
  return [...names].toSorted().map((name) => `MACHINE_ID_PARAM_${name.toUpperCase()}: << parameters.${name} >>`);
}

function argument({ orb: { name } }: Pick<StepParameter, 'orb'>): string {
  return `${name}: << parameters.${name} >>`;
}

function declaration({ help, orb }: Pick<StepParameter, 'help' | 'orb'>): readonly string[] {
  const { default: preset, description = help, isRequired = false, more, name, type = 'string' } = orb;
  return [
    `${name}:`,
    ...(typeof type === 'string' ? [`  type: ${type}`] : ['  type: enum', `  enum: [${type.join(', ')}]`]),
    ...(isRequired ? [] : [`  default: ${scalar(preset ?? (type === 'boolean' ? false : ''))}`]),
    ...describe([description, more].filter((text) => text !== undefined).join(' ')),
  ];
}

function scalar(value: string | number | boolean): string {
  return typeof value === 'string' && !/^[A-Za-z~]/.test(value) ? `'${value}'` : String(value);
}

const WIDTH = 114;

/** On one line if it fits and YAML reads it as it is, otherwise folded. */
function describe(text: string): readonly string[] {
  const isPlain = /^[A-Za-z]/.test(text) && !/: | #/.test(text);
  if (isPlain && text.length <= WIDTH - 13) return [`  description: ${text}`];
  const lines: string[] = [];
  for (const word of text.split(' ')) {
    const last = lines.at(-1);
    if (last === undefined || last.length + 1 + word.length > WIDTH) lines.push(word);
    else lines[lines.length - 1] = `${last} ${word}`;
  }
  return ['  description: >', ...lines.map((line) => `    ${line}`)];
}
