import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import test from 'node:test';
import { orbComponents } from '../../scripts/orb-generate/components.ts';

for (const [path, expected] of await orbComponents()) {
  test(`${path} is what "npm run generate" writes`, async () => {
    assert.equal(await readFile(path, 'utf8'), expected);
  });
}
