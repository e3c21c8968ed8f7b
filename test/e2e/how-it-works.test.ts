/** Compares the requests in docs/explanation/how-it-works.md with those that a run logs. */
import assert from 'node:assert/strict';
import test, { after } from 'node:test';
import { z } from 'zod';
import { textOf } from '../docs/documents.ts';
import { sections, tableRows } from '../docs/markdown.ts';
import { clusterIn, directoryFor } from './embedded-cluster.ts';
import { beginJob } from './job.ts';
import { resultOf } from './run-result.ts';

function tableBelow(heading: string): { readonly head: string; readonly rows: readonly (readonly string[])[] } {
  const text = sections(textOf('docs/explanation/how-it-works.md')).find((one) => one.heading === heading)?.text;
  assert.ok(text !== undefined, heading);
  return { head: /^\|.*$/m.exec(text)?.[0] ?? '', rows: tableRows(text) };
}

const Line = z.looseObject({
  to: z.string().optional(),
  event: z.string().optional(),
  method: z.string().optional(),
  path: z.string().optional(),
});

/** `web API: GET /webapi/ping`, in the order in which they ended. */
function requestsIn(stderr: string): readonly string[] {
  const lines = stderr.split('\n').filter((line) => line.startsWith('{'));
  return lines.flatMap((line) => {
    const { event, method = '', path, to = '' } = Line.parse(JSON.parse(line));
    if (event === 'https') return [`${to}: ${method} ${path ?? ''}`];
    return event === 'grpc' ? [`${to}: ${method}`] : [];
  });
}

const authorities = await directoryFor({ after });
const { head, rows } = tableBelow('What each request carries');
const versions = head.match(/\d+\.\d+\.\d+/g) ?? [];
const COLUMNS_BEFORE = 4;

test('the table has a column for each way to join', () => {
  assert.deepEqual([...versions], ['15.3.7', '18.2.4', '18.6.0', '19.0.0']);
});

for (const [at, teleport] of versions.entries()) {
  test(`Teleport ${teleport} gets exactly the requests that the page lists`, async (t) => {
    const cluster = await clusterIn(authorities, t, { teleport });
    const job = await beginJob(t, cluster);
    const run = await job.run([...job.flags, '--json', '--debug', '--log-format', 'json']);
    resultOf(run);
    const told = rows.map((cells) => ({
      request: `${cells[1] ?? ''}: ${cells[0] ?? ''}`,
      state: cells[COLUMNS_BEFORE + at],
    }));
    const asked = new Set(requestsIn(run.stderr));
    for (const { request } of told.filter(({ state }) => state === 'dropped')) asked.delete(request);
    assert.deepEqual(
      [...asked].sort(),
      told.flatMap(({ request, state }) => (state === 'asked' ? [request] : [])).sort(),
    );
  });
}
