import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { z } from 'zod';
import { type Build, COMMUNITY } from '../cluster/data/profiles.ts';
import { clusterIn, directoryFor } from './embedded-cluster.ts';
import { startReleaseServer } from './release-server.ts';
import { ARCHITECTURE, archiveOf, beginToolsJob } from './tools-job.ts';

const server = await startReleaseServer();

const Result = z.object({ version: z.string(), edition: z.string(), fips: z.boolean(), archive: z.string() });

const CLUSTERS: readonly (readonly [what: string, teleport: string, build: Build, archive: string])[] = [
  ['a community cluster', '18.5.1', COMMUNITY, `teleport-v18.5.1-linux-${ARCHITECTURE}-bin.tar.gz`],
  [
    'an enterprise cluster that updates its clients',
    '18.5.1',
    { edition: 'ent', fips: false, toolsVersion: '18.4.2' },
    `teleport-ent-v18.4.2-linux-${ARCHITECTURE}-bin.tar.gz`,
  ],
  [
    'a FIPS cluster',
    '17.7.1',
    { edition: 'ent', fips: true, toolsVersion: undefined },
    `teleport-ent-v17.7.1-linux-${ARCHITECTURE}-fips-bin.tar.gz`,
  ],
  [
    'a cluster that does not tell its edition',
    '15.3.7',
    COMMUNITY,
    `teleport-v15.3.7-linux-${ARCHITECTURE}-bin.tar.gz`,
  ],
];

for (const [what, teleport, build, archive] of CLUSTERS) {
  test(`${what} gets its programs: ${archive}`, async (t) => {
    const cluster = await clusterIn(await directoryFor(t), t, { teleport, build });
    const job = await beginToolsJob(t, server);
    const folder = archive.startsWith('teleport-ent') ? 'teleport-ent' : 'teleport';
    server.offer(archive, archiveOf(['tsh'], undefined, folder));
    const authorities = join(job.home, 'authorities.pem');
    const files = [server.trust.SSL_CERT_FILE ?? '', cluster.info.webCa].map((path) => readFile(path, 'utf8'));
    await writeFile(authorities, (await Promise.all(files)).join('\n'));
    const run = await job.install(['--tools', 'tsh', '--json', '--ca-file', authorities], {
      TELEPORT_PROXY: cluster.info.proxy,
    });
    assert.equal(run.exitCode, 0, run.stderr);
    const result = Result.parse(JSON.parse(run.stdout));
    assert.equal(result.archive, archive);
    assert.equal(result.fips, build.fips);
    assert.deepEqual(
      cluster.records.all.map(({ kind }) => kind),
      ['connection', 'ping'],
    );
  });
}

test('the cluster is not asked when the flags specify everything', async (t) => {
  const job = await beginToolsJob(t, server);
  server.offer(`teleport-v18.2.4-linux-${ARCHITECTURE}-bin.tar.gz`, archiveOf(['tsh']));
  const said = ['--tools', 'tsh', '--version', '18.2.4', '--edition', 'oss'];
  const run = await job.install(said, { TELEPORT_PROXY: '127.0.0.1:1' });
  assert.equal(run.exitCode, 0, run.stderr);
});
