import assert from 'node:assert/strict';
import test from 'node:test';
import { OUTPUT_TYPES } from '../../src/outputs/outputs.ts';
import { COMMON_KEYS } from '../../src/schema/common.ts';

for (const [name, { files, help, keys, type }] of Object.entries(OUTPUT_TYPES)) {
  test(`the output type ${name} is listed under its own name, and documents its keys and files`, () => {
    assert.equal(type, name);
    assert.match(help ?? '', /^[A-Z].*\.$/);
    for (const one of keys.list) assert.match(one.help ?? '', /^[A-Z`].*\.$/, one.key);
    for (const one of files) assert.match(one.help ?? '', /^[A-Z].*[^.]$/, one.name);
  });

  test(`no key of the output type ${name} is one that every output has`, () => {
    const common = [...COMMON_KEYS.list.map(({ key }) => key), 'destination'];
    const own = keys.list.map(({ key }) => key);
    assert.deepEqual(
      own.filter((key, at) => common.includes(key) || own.indexOf(key) !== at),
      [],
    );
  });
}
