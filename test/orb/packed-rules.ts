/** What a packed orb must hold beyond CircleCI's schema, which lets all of this through. */
import { isMapping, mapping } from '../job-runner/mapping.ts';
import type { Mapping } from '../job-runner/mapping.ts';
import { runs, section, strings, textOrEmpty } from './walk.ts';

/** Git-bash on Windows cuts a longer command line off without a word. */
export const LONGEST_STRING = 8_000;
/** Each use of a command adds its whole text to the compiled config, which may have 8 MB. */
export const LARGEST_USE = 23_000;
/** A part of the script in the orb itself: below what a variable may have on any system. */
export const LONGEST_PART = 30_000;
/** The whole use of a command that carries the script. */
export const LARGEST_EMBEDDED_USE = 350_000;

const TOP_LEVEL = ['version', 'description', 'display', 'orbs', 'commands', 'executors', 'jobs', 'examples'];
const RUN_KEYS = [
  'name',
  'command',
  'shell',
  'environment',
  'working_directory',
  'when',
  'no_output_timeout',
  'background',
];
/** Inside an orb, a command of such a name hides CircleCI's own step. */
const OWN_STEPS = [
  'run',
  'checkout',
  'deploy',
  'when',
  'unless',
  'steps',
  'save_cache',
  'restore_cache',
  'store_artifacts',
  'store_test_results',
  'persist_to_workspace',
  'attach_workspace',
  'add_ssh_keys',
  'setup_remote_docker',
  'install_signing_bundle',
];
const CONDITIONS = ['when', 'unless'];
/** Names of parameters that CircleCI refuses: with every component, and with jobs, whose calls take these themselves. */
const REFUSED_PARAMETERS: Readonly<Record<string, readonly string[]>> = {
  commands: ['name'],
  executors: ['name'],
  jobs: ['name', 'type', 'filters', 'matrix', 'requires', 'context', 'pre-steps', 'post-steps'],
};

/** Findings, each with the place it is about; none for an orb that is right. */
export function checkPacked(orb: Mapping): readonly string[] {
  const components = ['commands', 'jobs', 'executors'].flatMap((name) => section(orb, name));
  return [
    ...unknownKeys(orb, TOP_LEVEL, 'orb'),
    ...unknownKeys(mapping(orb.display, 'display'), ['home_url', 'source_url'], 'display'),
    ...section(orb, 'commands').flatMap(([path]) => hidesStep(path)),
    ...components.flatMap(([path, component]) => [
      ...refusedParameters(path, component),
      ...declarations(path, component),
      ...references(path, component),
      ...runSteps(path, component),
      ...bareBrackets(path, component),
    ]),
    ...[...section(orb, 'commands'), ...section(orb, 'jobs')].flatMap(([path, component]) => [
      ...calls(path, component.steps, orb),
      ...budget(path, component),
    ]),
  ];
}

function unknownKeys(value: Mapping, known: readonly string[], path: string): readonly string[] {
  return Object.keys(value)
    .filter((key) => !known.includes(key))
    .map((key) => `${path}: unknown key ${key}`);
}

function hidesStep(path: string): readonly string[] {
  const name = path.slice('commands.'.length);
  return OWN_STEPS.includes(name) ? [`${path}: hides CircleCI's own step ${name}`] : [];
}

function refusedParameters(path: string, component: Mapping): readonly string[] {
  const [kind = ''] = path.split('.');
  return Object.keys(mapping(component.parameters, path))
    .filter((name) => REFUSED_PARAMETERS[kind]?.includes(name))
    .map((name) => `${path}.parameters.${name}: CircleCI takes no parameter of this name`);
}

function declarations(path: string, component: Mapping): readonly string[] {
  return Object.entries(mapping(component.parameters, path)).flatMap(([name, entry]) => {
    const declaration = mapping(entry, path);
    const fault = typeof declaration.description === 'string' ? defaultFault(declaration) : 'has no description';
    return fault === undefined ? [] : [`${path}.parameters.${name}: ${fault}`];
  });
}

function defaultFault({ type, default: value, enum: choices }: Mapping): string | undefined {
  if (type === 'enum' && !Array.isArray(choices)) return 'enum without a list';
  if (value === undefined) return undefined;
  if (type === 'enum') return Array.isArray(choices) && choices.includes(value) ? undefined : 'default not in enum';
  if (type === 'boolean' && typeof value !== 'boolean') return 'default is no boolean';
  if (type === 'string' && typeof value !== 'string') return 'default is no string';
  if (type === 'integer' && !Number.isInteger(value)) return 'default is no integer';
  return undefined;
}

/** Every reference is declared, and every declared parameter is of use. */
function references(path: string, component: Mapping): readonly string[] {
  const declared = Object.keys(mapping(component.parameters, path));
  const used = strings({ ...component, parameters: undefined }, path).flatMap(({ value, path: at }) =>
    [...value.matchAll(/<<\s*parameters\.(\w+)\s*>>/g)].map((match) => ({ name: match[1] ?? '', at })),
  );
  return [
    ...used.filter(({ name }) => !declared.includes(name)).map(({ name, at }) => `${at}: ${name} is not declared`),
    ...declared
      .filter((name) => used.every((use) => use.name !== name))
      .map((name) => `${path}.parameters.${name}: never used`),
  ];
}

/** A parameter inside command text would be run as text of the shell. */
function runSteps(path: string, component: Mapping): readonly string[] {
  return runs(component, path).flatMap(({ value, path: at }) => {
    if (!isMapping(value)) return [`${at}: not a mapping`];
    const command = textOrEmpty(value.command);
    return [
      ...unknownKeys(value, RUN_KEYS, at),
      ...(/<<\s*parameters/.test(command) ? [`${at}: a parameter in the command's text`] : []),
      ...strings(value, at)
        .filter((text) => text.value.length >= (isPart(text.path) ? LONGEST_PART : LONGEST_STRING))
        .map((text) => `${text.path}: ${text.value.length} characters`),
    ];
  });
}

function bareBrackets(path: string, component: Mapping): readonly string[] {
  return strings(component, path)
    .filter(({ value }) => value.replace(/<<\s*(?:parameters|pipeline)\.[\w.]+\s*>>/g, '').search(/(?<!\\)<</) >= 0)
    .map(({ path: at }) => `${at}: bare <<`);
}

function calls(path: string, steps: unknown, orb: Mapping): readonly string[] {
  if (!Array.isArray(steps)) return [`${path}: no steps`];
  return steps.flatMap((step: unknown) => {
    const [[name, body] = ['', undefined]] =
      typeof step === 'string' ? [[step, {}] as const] : Object.entries(mapping(step, path));
    if (CONDITIONS.includes(name)) return calls(`${path}.${name}`, mapping(body, path).steps, orb);
    if (OWN_STEPS.includes(name) || name.includes('/')) return [];
    const called = mapping(orb.commands, 'commands')[name];
    if (!isMapping(called)) return [`${path}: there is no command ${name}`];
    return unknownKeys(mapping(body, path), Object.keys(mapping(called.parameters, name)), `${path}.${name}`);
  });
}

function isPart(path: string): boolean {
  return /\.MACHINE_ID_BUNDLE_\d+$/.test(path);
}

/** Of each way through the conditions on a parameter, as only the steps of the one that holds are compiled. */
function budget(path: string, { steps }: Mapping): readonly string[] {
  return usesOf(steps).flatMap(({ size, embedded }) => {
    const limit = embedded ? LARGEST_EMBEDDED_USE : LARGEST_USE;
    return size > limit ? [`${path}: ${size} bytes at each use, more than ${limit}`] : [];
  });
}

/** Bytes of each use that the compiler may make of these steps: of conditions on one value, one holds. */
export function usesOf(steps: unknown): readonly { readonly size: number; readonly embedded: boolean }[] {
  const all: readonly unknown[] = Array.isArray(steps) ? steps : [];
  const isChoice = (step: unknown) =>
    isMapping(step) && isMapping(step.when) && isMapping(step.when.condition) && 'equal' in step.when.condition;
  const choices = all.filter(isChoice);
  const always = all.filter((step) => !isChoice(step));
  return (choices.length === 0 ? [[]] : choices).map((chosen) => {
    const text = JSON.stringify([always, chosen]);
    return { size: Buffer.byteLength(text), embedded: text.includes('"MACHINE_ID_BUNDLE_1"') };
  });
}
