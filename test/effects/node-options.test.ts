import assert from 'node:assert/strict';
import test from 'node:test';
import { KEPT_SWITCHES, KEPT_WITH_VALUE, keptNodeOptions } from '../../src/effects/node-options.ts';
import { outputOf, runProgramSync } from '../programs.ts';

const CASES: readonly (readonly [given: string | undefined, kept: string])[] = [
  [undefined, ''],
  ['', ''],
  ['-r dd-trace/ci/init', ''],
  ['--require ./x.js --import=y --inspect=0.0.0.0:9229 --inspect-brk --loader z --experimental-loader=z -C dev', ''],
  ['--require=a --use-openssl-ca -r b --max-old-space-size=4096', '--use-openssl-ca --max-old-space-size=4096'],
  ['--max-old-space-size 4096 -r a', '--max-old-space-size=4096'],
  ['  --max_old_space_size=4096   --use-system-ca ', '--max_old_space_size=4096 --use-system-ca'],
  [
    '--dns-result-order ipv4first --max-http-header-size 65536',
    '--dns-result-order=ipv4first --max-http-header-size=65536',
  ],
  ['--max-old-space-size --require=a', ''],
  ['--max-old-space-size', ''],
  ['--tls-keylog=/tmp/keys --tls-min-v1.2 --heapsnapshot-near-heap-limit=1', '--tls-min-v1.2'],
  ['--require "--use-openssl-ca"', '--use-openssl-ca'],
  ['"--require" "/my path/x.js"', ''],
  ['--require "a --max-old-space-size=1 b"', ''],
  ['--openssl-config="/my path/\\"ssl\\".cnf" -r x', '"--openssl-config=/my path/\\"ssl\\".cnf"'],
  ['"--openssl-config=C:\\\\ssl.cnf"', '"--openssl-config=C:\\\\ssl.cnf"'],
  ['--openssl-config=C:\\ssl.cnf', '"--openssl-config=C:\\\\ssl.cnf"'],
  ['--openssl-config=/a\nb', ''],
  ['--use-openssl-ca=yes', ''],
  ['--max-old-space-size=4096;touch${IFS}x', '--max-old-space-size=4096;touch${IFS}x'],
];

for (const [given, kept] of CASES) {
  test(`of NODE_OPTIONS ${JSON.stringify(given)}, ${JSON.stringify(kept)} is kept`, () => {
    assert.equal(keptNodeOptions(given), kept);
    assert.equal(keptNodeOptions(kept), kept, 'what is kept stays the same');
  });
}

test('Node reads the words that are kept as it read them before', () => {
  for (const text of ['--title="a b"', '--title=a\\b', '"--title=a\\"b\\\\"', '--title=a"b c"d']) {
    const titled = (options: string) =>
      outputOf(process.execPath, ['-p', 'process.title'], { environment: { NODE_OPTIONS: options } });
    const config = text.replace('--title', '--openssl-config');
    const kept = keptNodeOptions(config).replace('--openssl-config', '--title');
    assert.equal(titled(kept), titled(text), text);
  }
});

test('this Node knows the options, but for those of other versions', () => {
  const values: Readonly<Record<string, string>> = { '--dns-result-order': 'ipv4first', '--tls-cipher-list': 'HIGH' };
  const options = [...KEPT_SWITCHES, ...KEPT_WITH_VALUE.map((name) => `${name}=${values[name] ?? '65536'}`)];
  const unknown = options.filter((option) => {
    const { stderr } = runProgramSync(process.execPath, ['-e', ''], { environment: { NODE_OPTIONS: option } });
    return stderr.includes('is not allowed in NODE_OPTIONS');
  });
  const newer = ['--use-system-ca', '--max-old-space-size-percentage=65536'];
  assert.deepEqual(
    unknown.filter((option) => !newer.includes(option)),
    [],
  );
});
