import assert from 'node:assert/strict';
import { test } from 'node:test';
import { pathLines } from '../../src/job/bash-env.ts';
import { outputOf } from '../programs.ts';

/** What PATH is after bash has read the lines. */
function pathAfter(lines: string, path: string | undefined, options: readonly string[] = []): string {
  const environment = path === undefined ? [] : [`PATH=${path}`];
  return outputOf('env', ['-i', ...environment, '/bin/bash', ...options, '-c', `${lines}\nprintf %s "$PATH"`]);
}

test('a folder comes first on PATH', () => {
  assert.equal(pathAfter(pathLines('/opt/tools/bin'), '/usr/bin:/bin'), '/opt/tools/bin:/usr/bin:/bin');
});

test('a folder that is already on PATH is not added again, wherever it is', () => {
  for (const path of ['/opt/tools/bin', '/opt/tools/bin:/bin', '/bin:/opt/tools/bin', '/a:/opt/tools/bin:/b']) {
    assert.equal(pathAfter(pathLines('/opt/tools/bin'), path), path);
  }
  assert.equal(pathAfter(pathLines('/opt/tools/bin'), '/opt/tools/bin2'), '/opt/tools/bin:/opt/tools/bin2');
});

test('an empty PATH gets no empty part, which would mean the working directory', () => {
  assert.equal(pathAfter(pathLines('/opt/bin'), ''), '/opt/bin');
  assert.equal(pathAfter(`unset PATH\n${pathLines('/opt/bin')}`, '/bin', ['-eu']), '/opt/bin');
});

for (const folder of ["/it's/bin", '/$(exit 3)/`exit 3`', '/two words/*', '/[a-z]/?', '/\\n"quoted"', '/#x;y&z']) {
  test(`a folder is quoted: ${folder}`, () => {
    const once = pathAfter(pathLines(folder), '/usr/bin', ['-eu']);
    assert.equal(once, `${folder}:/usr/bin`);
    assert.equal(pathAfter(pathLines(folder), once, ['-eu']), once);
  });
}

test('Git-bash gets a folder of Windows in its own form', () => {
  assert.equal(pathAfter(pathLines('C:\\Users\\ci\\tools\\bin'), '/usr/bin'), '/c/Users/ci/tools/bin:/usr/bin');
});
