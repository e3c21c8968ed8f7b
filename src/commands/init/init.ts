/** `init`: generates the files for a setup from the job's IDs and a few answers. */
import { stderrStyle } from '../../cli/print.ts';
import { createLog } from '../../effects/log.ts';
import { VERSION, type World } from '../../effects/world.ts';
import { collectAnswers } from './answers.ts';
import { checkAnswers } from './check-answers.ts';
import { type InitArguments, readInitArguments } from './flags.ts';
import { directoryProblems, locateSetup, writeFiles } from './directory.ts';
import { shellWord } from './quoting.ts';
import { proveRules } from './prove.ts';
import { asOneStream, nextSteps, setupFileNames, setupFiles } from './render.ts';

/** @throws MachineIdError USAGE_INVALID, CONFIG_INVALID, DESTINATION_UNSAFE, DESTINATION_UNWRITABLE, INTERRUPTED, SETUP_DRIFT */
export async function init(args: readonly string[], world: World): Promise<void> {
  const given = readInitArguments(args);
  if (given.list !== undefined) {
    await initList(given.list, given, world);
    return;
  }
  const { answers, directory, notices } = await collectAnswers(given, world);
  const conflicts = given.print
    ? []
    : await directoryProblems(directory, { force: given.force, names: setupFileNames(answers.form) }, world);
  const { setup, warnings } = await checkAnswers(answers, [...given.problems, ...conflicts]);
  const location = { ...(await locateSetup(directory, world)), version: VERSION };
  const files = setupFiles(setup, location);
  proveRules(setup, files);
  const program = `node ${shellWord(world.bundlePath)}`;
  warn([...notices, ...warnings], world);
  if (given.print) {
    await world.result(asOneStream(files, location.pathInRepository));
    world.stderr(nextSteps(setup, { ...location, pathFromHere: location.pathInRepository }, program));
    return;
  }
  await writeFiles(directory, files, world);
  const written = files.map(({ name }) => `  ${location.pathFromHere}${name}`).join('\n');
  await world.stdout(
    `Wrote these files, which contain no secrets:\n\n${written}\n\n${nextSteps(setup, location, program)}`,
  );
}

/** Loaded on demand, as it is rarely used. */
async function initList(path: string, given: InitArguments, world: World): Promise<void> {
  const { initFromList, readProjects } = await import('./from-list.ts');
  if (!given.drift) {
    warn(await initFromList(path, given, world), world);
    return;
  }
  const { reportDrift } = await import('./drift.ts');
  await reportDrift(await readProjects(path, given, world), world);
}

function warn(warnings: readonly string[], world: World): void {
  const { clock, stderr } = world;
  const log = createLog(stderr, {
    format: 'text',
    debug: false,
    nowMs: () => clock.nowMs(),
    style: stderrStyle(world),
  });
  for (const warning of warnings) log.warn(warning);
}
