import assert from 'node:assert/strict';
import { test } from 'node:test';
import { releaseTree } from '../../scripts/orb-pack/packed-release.ts';
import { orbDifferences } from '../../scripts/release/same-orb.ts';
import { packedByNewCli, packedByOldCli } from './circleci-packers.ts';
import { reviewSource } from './review-rules.ts';
import { packedWith, sourceFiles, version } from './source.ts';

const bundle = Buffer.from('the script');
const tree = releaseTree({ files: sourceFiles, bundle, version });

for (const [name, pack] of [
  ['the older', packedByOldCli],
  ['the newer', packedByNewCli],
] as const) {
  test(`${name} CircleCI CLI packs the written tree into the same orb`, () => {
    assert.deepEqual(orbDifferences(pack(tree), packedWith(bundle)), []);
  });

  test(`${name} CircleCI CLI rejects the plain sources, and names the directory that only our packer creates`, () => {
    assert.throws(() => pack(sourceFiles), /could not open scripts\/made-by-orb-pack\/[a-z-]+\.sh for inclusion/);
  });
}

test("the written tree passes CircleCI's review", () => {
  assert.deepEqual(reviewSource(tree, version), []);
});

test('commands include only assembled scripts, so that the plain sources cannot be packed', () => {
  for (const [path, text] of sourceFiles) {
    for (const [, included] of text.matchAll(/<<\s*include\(([^)]*)\)/g)) {
      assert.match(included ?? '', /^scripts\/made-by-orb-pack\/[a-z-]+\.sh$/, path);
    }
  }
});
