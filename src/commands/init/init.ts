/** `init`: from a job's ids and a few answers to the files that set-up needs. */
import { stderrStyle } from '../../cli/print.ts';
import { createLog } from '../../effects/log.ts';
import { VERSION, type World } from '../../effects/world.ts';
import { collectAnswers } from './answers.ts';
import { checkAnswers } from './check-answers.ts';
import { readInitArguments } from './flags.ts';
import { directoryProblems, locateSetup, writeFiles } from './folder.ts';
import { shellWord } from './quoting.ts';
import { asOneStream, nextSteps, setupFiles } from './render.ts';

/** @throws MachineIdError USAGE_INVALID, CONFIG_INVALID, DESTINATION_UNSAFE, DESTINATION_UNWRITABLE, INTERRUPTED */
export async function init(args: readonly string[], world: World): Promise<void> {
  const given = readInitArguments(args);
  const { answers, directory, notices } = await collectAnswers(given, world);
  const inTheWay = given.print ? [] : await directoryProblems(directory, given.force, world);
  const { setup, warnings } = await checkAnswers(answers, [...given.problems, ...inTheWay]);
  const place = { ...(await locateSetup(directory, world)), version: VERSION };
  const files = setupFiles(setup, place);
  const program = `node ${shellWord(world.bundlePath)}`;
  warn([...notices, ...warnings], world);
  if (given.print) {
    await world.result(asOneStream(files, place.folder));
    world.stderr(nextSteps(setup, { ...place, written: place.folder }, program));
    return;
  }
  await writeFiles(directory, files, world);
  const written = files.map(({ name }) => `  ${place.written}${name}`).join('\n');
  await world.stdout(`Written, without a secret in it:\n\n${written}\n\n${nextSteps(setup, place, program)}`);
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
