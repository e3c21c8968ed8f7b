/** The figures that documents show, from those of the conformance page. */
import { readResults } from '../conformance/results.ts';
import { packageVersion } from '../release/package-version.ts';
import { code, markdownTable } from './markdown.ts';
import type { Parts } from './regions.ts';

/** Of the row `costs`, by their names there. */
const OF_A_RUN = [
  'node -e 0',
  'run, Teleport 15.3.7, 1 output',
  'run, Teleport 18.6.0, 1 output',
  'run, Teleport 18.6.0, 10 outputs',
];

const NOT_MEASURED = 'They have not been measured for this version yet: `npm run conformance -- --only costs`.';

/** `time of a run` is a table of medians, with the day and the machine. */
export async function figureParts(): Promise<Parts> {
  const { costs } = (await readResults(await packageVersion())).rows;
  if (costs?.bench === undefined) return new Map([['time of a run', NOT_MEASURED]]);
  const { bench, date, machine } = costs;
  const rows = OF_A_RUN.map((name) => {
    const found = bench.rows.find((row) => row.name === name);
    if (found === undefined) throw new Error(`the row costs has no figure "${name}"`);
    return [name.replace(/^(run|node -e 0)/, code), `${found.figures.median.toFixed(0)} ${found.unit}`];
  });
  const load = machine.busy ? 'a machine that was busy with other work' : 'an otherwise idle machine';
  const when = `Measured on ${date} on ${load}, with ${machine.cores} cores (${machine.cpu}) and Node.js ${machine.node}:`;
  return new Map([['time of a run', `${when}\n\n${markdownTable(['What', 'Median'], rows)}`]]);
}
