/**
 * `npm run conformance [-- --only ROW]...`: runs the rows of the conformance page, writes docs/conformance/VERSION.json, and
 * leaves the other rows of that file as they are; then renders the page from it. Exit code 1 if one failed.
 */
import { spawnSync } from 'node:child_process';
import { parseArgs } from 'node:util';
import { readResults, writeResults } from './conformance/results.ts';
import { ROWS } from './conformance/rows.ts';
import { runRow } from './conformance/run-row.ts';
import { packageVersion } from './release/package-version.ts';

const { values } = parseArgs({ options: { only: { type: 'string', multiple: true, default: [] } } });
const unknown = values.only.filter((id) => !ROWS.some((row) => row.id === id));
if (unknown.length > 0) {
  throw new Error(`no row ${unknown.join(', ')}; there are ${ROWS.map(({ id }) => id).join(', ')}`);
}

const version = await packageVersion();
for (const row of ROWS.filter(({ id }) => values.only.length === 0 || values.only.includes(id))) {
  console.log(`\n== ${row.id}: ${row.shows}`);
  const result = await runRow(row);
  // Read again for each row, and written at once: an interrupted run keeps what it has measured.
  const { rows } = await readResults(version);
  await writeResults({ version, rows: { ...rows, [row.id]: result } });
  if ((result.tests?.failures.length ?? 0) + (result.chaos?.failed ?? 0) > 0) process.exitCode = 1;
}
// Not a part of the npm script: arguments after `--` go to its last command.
const { status } = spawnSync('npm', ['run', '--silent', 'generate'], { stdio: 'inherit' });
if (status !== 0) process.exitCode = 1;
