import assert from 'node:assert/strict';
import test from 'node:test';
import { referenceDocuments } from '../../scripts/documents/reference.ts';
import { textOf } from './documents.ts';

for (const [path, expected] of await referenceDocuments()) {
  test(`${path} is what "npm run generate" writes`, () => {
    assert.equal(textOf(path), expected);
  });
}
