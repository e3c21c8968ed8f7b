/** The steps of the orb and the files that a run writes keep the same of the job's NODE_OPTIONS. */
import assert from 'node:assert/strict';
import test from 'node:test';
import { KEPT_SWITCHES, KEPT_WITH_VALUE, keptNodeOptions } from '../../src/effects/node-options.ts';
import { missing, runProgram } from '../programs.ts';

/** V8 options, whose value Node does not accept as a separate word. */
const OF_V8 = ['--max-old-space-size', '--max-old-space-size-percentage', '--max-semi-space-size'];
const TWO_WORDS = KEPT_WITH_VALUE.filter((name) => !OF_V8.includes(name));

const GIVEN: readonly string[] = [
  '',
  ...KEPT_SWITCHES,
  ...KEPT_WITH_VALUE.map((name) => `${name}=7`),
  ...TWO_WORDS.map((name) => `${name} 7`),
  '--max_old_space_size=4096',
  '-r dd-trace/ci/init',
  '--require=./x.cjs --use-openssl-ca --import y --inspect=0.0.0.0:9229 --max-old-space-size=4096 -C dev',
  '--tls-keylog=/tmp/keys --heapsnapshot-near-heap-limit=1 --trace-tls --experimental-loader=z --cpu-prof',
  '--dns-result-order --inspect',
];

for (const shell of ['sh', 'dash', 'bash', 'busybox']) {
  test(`${shell} keeps the same options as the script`, { skip: missing(shell) ?? false }, async () => {
    const command = shell === 'busybox' ? ['sh', '-euc'] : ['-euc'];
    const print = '. orb/scripts/parts/node-options.sh; printf %s "$NODE_OPTIONS"';
    for (const given of GIVEN) {
      const { exitCode, stderr, stdout } = await runProgram(shell, [...command, print], {
        environment: { NODE_OPTIONS: given },
      });
      assert.equal(exitCode, 0, stderr);
      assert.equal(stdout, keptNodeOptions(given), given);
    }
  });
}
