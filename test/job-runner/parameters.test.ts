import assert from 'node:assert/strict';
import { test } from 'node:test';
import { resolveParameters } from './parameters.ts';
import type { ArgumentReader } from './parameters.ts';

const reader: ArgumentReader = { plain: (value) => value, steps: () => [] };
const readers = { given: reader, defaults: reader };

const accepted: readonly (readonly [declaration: Record<string, unknown>, given: unknown])[] = [
  [{ type: 'string' }, ''],
  [{ type: 'boolean' }, false],
  [{ type: 'integer' }, 0],
  [{ type: 'enum', enum: ['a', 'b'] }, 'b'],
  [{ type: 'env_var_name' }, 'TOKEN_2'],
  [{ type: 'executor' }, { name: 'default', tag: '20' }],
];

for (const [declaration, given] of accepted) {
  test(`${JSON.stringify(given)} is a value of type ${String(declaration.type)}`, () => {
    assert.deepEqual(resolveParameters({ x: declaration }, { x: given }, 'c', readers), new Map([['x', given]]));
    assert.deepEqual(
      resolveParameters({ x: { ...declaration, default: given } }, {}, 'c', readers),
      new Map([['x', given]]),
    );
  });
}

const refused: readonly (readonly [declaration: Record<string, unknown>, given: Record<string, unknown>, RegExp])[] = [
  [{ type: 'string' }, {}, /c\.x: Missing required argument/],
  [{ type: 'string', default: '' }, { y: 1 }, /Unexpected argument\(s\): y/],
  [{ type: 'string' }, { x: 5 }, /expected string, actual value 5/],
  [{ type: 'boolean' }, { x: 'true' }, /expected boolean/],
  [{ type: 'boolean', default: 'true' }, {}, /expected boolean/],
  [{ type: 'integer' }, { x: 1.5 }, /expected integer/],
  [{ type: 'enum', enum: ['a'] }, { x: 'b' }, /expected enum/],
  [{ type: 'enum', enum: ['a'], default: 'b' }, {}, /expected enum/],
  [{ type: 'env_var_name' }, { x: '2FA' }, /expected env_var_name/],
  [{ type: 'number' }, { x: 1 }, /unknown parameter type number/],
];

for (const [declaration, given, message] of refused) {
  test(`${JSON.stringify(given)} is refused for ${JSON.stringify(declaration)}`, () => {
    assert.throws(() => resolveParameters({ x: declaration }, given, 'c', readers), message);
  });
}
