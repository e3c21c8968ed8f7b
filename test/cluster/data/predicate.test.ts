import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { parsePredicate } from './predicate.ts';
import { TeleportError } from './teleport-errors.ts';

const dev = { name: 'dev', labels: { env: 'dev', 'teleport.internal/discovered-name': 'short' } };

describe('the predicate language', () => {
  for (const [expression, holds] of [
    ['', true],
    ['name == "dev"', true],
    ['name == "prod"', false],
    ['name != "prod"', true],
    ['labels["env"] == "dev"', true],
    ['labels["absent"] == "dev"', false],
    ['(name == "short") || (labels["teleport.internal/discovered-name"] == "short")', true],
    ['name == "dev" && labels["env"] == "prod"', false],
    ['name == "prod" && name == "prod" || name == "dev"', true],
    ['name == "prod" && (name == "prod" || name == "dev")', false],
    ['name == "d\\u0065v"', true],
    ['name == "dev\\""', false],
  ] as const) {
    test(`${expression === '' ? '(nothing)' : expression} ${holds ? 'holds' : 'does not hold'}`, () => {
      assert.equal(parsePredicate(expression)(dev), holds);
    });
  }

  for (const expression of [
    'name',
    'name = "dev"',
    'name == dev',
    'name == "dev',
    'name == "dev" ||',
    '(name == "dev"',
    'name == "dev")',
    'name == "dev" name == "dev"',
    'labels.env == "dev"',
    'labels["env" == "dev"',
    'uid == "1"',
    'name == "a" || name == "dev" == "x"',
    'name == "\\x"',
  ]) {
    test(`${expression} is refused`, () => {
      assert.throws(
        () => parsePredicate(expression),
        (error) => error instanceof TeleportError && error.kind === 'BadParameter',
      );
    });
  }
});
