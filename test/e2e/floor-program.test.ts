/** The program that the benchmark compares a run with does what Teleport requires, and nothing that a run does not do. */
import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { runProgram } from '../programs.ts';
import { clusterIn, directoryFor, NEWEST } from './embedded-cluster.ts';

const AUTHORITIES = 'rpc:/teleport.trust.v1.TrustService/GetCertAuthorities';
const CALLS = ['rpc:/proto.AuthService/GetRole', 'rpc:/proto.AuthService/GenerateUserCerts', AUTHORITIES];
const directory = await directoryFor({ after });

for (const { join, teleport } of [
  { teleport: NEWEST, join: 'join-service' },
  { teleport: '15.3.7', join: 'legacy-join' },
]) {
  test(`the floor program gets an identity from Teleport ${teleport} with the fewest requests`, async (t) => {
    const { info, mint, records } = await clusterIn(directory, t, { teleport });
    const { bot, cluster, joinToken, proxy, webCa } = info;
    const args = [teleport.slice(0, 2), proxy, webCa, joinToken, bot, cluster];
    const environment = { CIRCLE_OIDC_TOKEN: await mint() };
    const run = await runProgram(process.execPath, ['bench/floor-program.cjs', ...args], { environment });
    assert.equal(run.exitCode, 0, run.stderr);
    assert.match(run.stdout, /^[0-9a-f]{64}\n$/);
    const expected = ['ping', join, ...CALLS, AUTHORITIES, AUTHORITIES];
    assert.deepEqual([...records.kinds].sort(), expected.sort());
  });
}
