import assert from 'node:assert/strict';
import test from 'node:test';
import { simulateStorm, type Storm, waveOf } from '../bench/storm-simulation.ts';

const JOBS = 500;
const storm: Storm = { name: '', jobs: JOBS, addresses: 1, withinMs: 200 };
/** Of 500 jobs, chance alone makes an interval up to twice as busy as those around it. */
const NO_WAVE = 2.5;

test('a wave is an interval that is much busier than those around it, after the beginning', () => {
  const steady = Array.from({ length: 60 }, () => 100);
  assert.equal(waveOf(steady, 0), 1);
  assert.equal(waveOf([9000, ...steady], 1), 1);
  assert.ok(waveOf([...steady, 3000, ...steady], 0) > 10);
  assert.equal(waveOf([0, 0, 0, 9, 0, 0, 0], 0), 0, 'so few say nothing');
});

test('jobs that started together make no waves while the cluster is down, nor at their deadline', async () => {
  const down = { ...storm, downMs: 300_000 };
  const { load, peakPerSecond, succeeded, wave } = await simulateStorm(down, 1);
  assert.equal(succeeded, 0);
  // The first pauses are short; from the fifth on, they are up to 8 s.
  assert.ok(waveOf(load, 80) < NO_WAVE, `${waveOf(load, 80)}`);
  assert.ok(peakPerSecond < 3 * JOBS, `${peakPerSecond}`);
  const synchronized = await simulateStorm({ ...down, withoutJitter: true }, 1);
  assert.ok(waveOf(synchronized.load, 80) > 5 && synchronized.wave > wave);
});

test('a cluster that comes back after 30 seconds serves all of them, and in no interval connects more than a fifth of them', async () => {
  const { load, succeeded } = await simulateStorm({ ...storm, downMs: 30_000 }, 1);
  assert.equal(succeeded, JOBS);
  assert.ok(Math.max(...load.slice(100)) < JOBS / 5);
});

test('a rate of 50 requests a second is used up by the jobs that wait for it', async () => {
  const limits = { rates: [{ periodMs: 1000, average: 50, burst: 50 }] };
  const one = await simulateStorm({ ...storm, jobs: 300, limits }, 1);
  const same = await simulateStorm({ ...storm, jobs: 300, limits }, 1);
  assert.deepEqual(one, same, 'the same seed gives the same storm');
  assert.ok(one.succeeded > 250 && one.rejected > 1000, `${one.succeeded} ${one.rejected}`);
});

test('the registration endpoint of Teleport 17 serves 480 jobs of an address at once, and then two a second', async () => {
  const { failures, succeeded } = await simulateStorm({ ...storm, jobs: 700, joinService: false }, 1);
  assert.ok(succeeded > 570 && succeeded < 600, `${succeeded}`);
  assert.deepEqual([...failures.keys()], ['PROXY_UNREACHABLE']);
});
