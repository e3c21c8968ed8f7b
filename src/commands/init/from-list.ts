/** `init --from-list`: the bots, tokens and configurations of many projects, and one command that creates all of them. */
import { join } from 'node:path';
import { VERSION, type World } from '../../effects/world.ts';
import { MachineIdError, pluralize, type Problem } from '../../errors.ts';
import { readTokenFile } from '../explain-token/read-token-file.ts';
import { checkAnswers } from './check-answers.ts';
import { DEFAULT_DIRECTORY, directoryProblems, locateSetup, writeFiles } from './directory.ts';
import type { InitArguments } from './flags.ts';
import { type ListedProject, problemsOf, readList } from './list.ts';
import { proveRules } from './prove.ts';
import { pathWord } from './quoting.ts';
import { setupFiles } from './render.ts';
import type { FieldName } from './fields.ts';
import type { Answer, Answers, Form, Setup, SetupFile } from './setup.ts';

interface Project {
  readonly name: string;
  readonly setup: Setup;
  readonly files: readonly SetupFile[];
}

export interface Listed {
  readonly projects: readonly Project[];
  /** Bots and tokens of all projects. */
  readonly resources: SetupFile;
  readonly warnings: readonly string[];
}

/** @throws MachineIdError CONFIG_UNREADABLE, CONFIG_INVALID, USAGE_INVALID */
export async function readProjects(path: string, given: InitArguments, world: World): Promise<Listed> {
  const hint = 'Pass the path of a CSV file or of a YAML list with one project per row or item.';
  const listed = readList(await readTokenFile(path, world, hint), path, withDefaults(given.answers, world));
  const problems: Problem[] = [...given.problems];
  const warnings: string[] = [];
  const projects: Project[] = [];
  for (const one of listed) {
    try {
      const checked = await checkAnswers(one.answers, []);
      warnings.push(...checked.warnings.map((warning) => `${one.place}: ${warning}`));
      projects.push(projectOf(one, checked.setup));
    } catch (error) {
      if (!(error instanceof MachineIdError)) throw error;
      problems.push(
        ...(error.problems.length > 0 ? problemsOf(error, one) : [{ path: one.place, message: error.message }]),
      );
    }
  }
  if (problems.length > 0) {
    throw new MachineIdError('USAGE_INVALID', 'the files of the list cannot be written', {
      hint: 'Correct the list, or pass what is the same for all projects as flags (see --help); nothing was written.',
      problems,
    });
  }
  return { projects, resources: resourcesOf(projects, given.answers.form), warnings };
}

/** What is asked for otherwise. */
function withDefaults(answers: Answers, { environment }: World): Answers {
  const { TELEPORT_PROXY: proxy = '' } = environment;
  const defaults: readonly (readonly [FieldName, Answer])[] = [
    ['destination', { text: '/home/circleci/.teleport-identity', origin: '--destination' }],
    ...(proxy === '' ? [] : [['proxy', { text: proxy, origin: 'TELEPORT_PROXY' }] as const]),
  ];
  return { ...answers, fields: new Map([...defaults, ...answers.fields]) };
}

function projectOf({ name }: ListedProject, setup: Setup): Project {
  const files = setupFiles(setup, { pathFromHere: '', pathInRepository: 'teleport/', version: VERSION });
  proveRules(setup, files);
  return { name, setup, files };
}

const RESOURCES = ['bot.yaml', 'bot-token.yaml', 'teleport.tf'];

function resourcesOf(projects: readonly Project[], form: Form): SetupFile {
  const texts = projects.flatMap(({ files }) =>
    files.filter(({ name }) => RESOURCES.includes(name)).map(({ contents }) => contents),
  );
  return form === 'terraform'
    ? { name: 'teleport.tf', contents: texts.join('\n') }
    : { name: 'resources.yaml', contents: texts.map((text) => `---\n${text}`).join('') };
}

/** @throws MachineIdError also DESTINATION_UNSAFE, DESTINATION_UNWRITABLE */
export async function initFromList(path: string, given: InitArguments, world: World): Promise<readonly string[]> {
  const { projects, resources, warnings } = await readProjects(path, given, world);
  const directory = given.directory ?? DEFAULT_DIRECTORY;
  const folders = [
    { path: directory, files: [resources] },
    ...projects.map(({ files, name }) => ({
      path: join(directory, name),
      files: files.filter((file) => !RESOURCES.includes(file.name)),
    })),
  ];
  const conflicts: Problem[] = [];
  for (const { files, path: folder } of folders) {
    const names = files.map(({ name }) => name);
    conflicts.push(...(await directoryProblems(folder, { force: given.force, names }, world)));
  }
  if (conflicts.length > 0) {
    throw new MachineIdError('USAGE_INVALID', 'the files of the list cannot be written', {
      hint: 'Pass --force to replace them; nothing was written.',
      problems: conflicts,
    });
  }
  for (const { files, path: folder } of folders) await writeFiles(folder, files, world);
  const { pathFromHere } = await locateSetup(directory, world);
  await world.stdout(report(projects, `${pathFromHere}${resources.name}`, given.answers.form, pathFromHere));
  return warnings;
}

function report(projects: readonly Project[], resources: string, form: Form, directory: string): string {
  const commands = {
    tctl: `tctl create -f ${pathWord(resources)}`,
    operator: `kubectl apply -n NAMESPACE -f ${pathWord(resources)}`,
    terraform: 'terraform apply',
  } as const;
  const lines = projects.map(({ name }) => `  ${directory}${name}/tbot.yaml and circleci-config.yml`);
  return `Wrote ${resources} with the bots and tokens of ${pluralize(projects.length, 'project')}, and for each of them:

${lines.join('\n')}

1. Create all bots and tokens:

     ${commands[form]}

2. Copy the two files of each project into the directory teleport of its repository, and merge circleci-config.yml into
   .circleci/config.yml.

3. Later, compare the cluster with the list: tctl get tokens,bots | machine-id init --from-list LIST --drift
`;
}
