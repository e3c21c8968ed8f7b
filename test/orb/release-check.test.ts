import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type ReleaseFiles, releaseFindings } from '../../scripts/release/checks.ts';
import { provenance } from '../../scripts/release/provenance.ts';
import { packedWith, version } from './source.ts';

const BUNDLE = Buffer.from('the script');

const fits: ReleaseFiles = {
  version,
  bundle: BUNDLE,
  rebuilt: [BUNDLE, BUNDLE],
  packedOrb: packedWith(BUNDLE),
  changelog: `# Changelog\n\n## ${version} - 2026-01-31\n`,
  documents: new Map([
    ['README.md', `teleport/machine-id@${version} or @${version.slice(0, 3)}, teleport/machine-id@X.Y.Z`],
  ]),
  tag: `v${version}`,
};

test('a consistent release has no findings', () => {
  assert.deepEqual(releaseFindings(fits), []);
});

const misfits: readonly (readonly [what: string, change: Partial<ReleaseFiles>, finding: RegExp])[] = [
  ['a tag of another version', { tag: 'v9.9.9' }, /the tag is v9\.9\.9, but package\.json has /],
  [
    'a version that an orb cannot have',
    { version: '1.0.0-rc.1', tag: undefined },
    /must be X\.Y\.Z, got 1\.0\.0-rc\.1/,
  ],
  ['a build that differs', { rebuilt: [BUNDLE, Buffer.from('x')] }, /differs from build 2 of the sources/],
  ['an orb of another script', { packedOrb: packedWith('other') }, /the packed orb contains the digest [0-9a-f]{64}/],
  ['an orb without a digest', { packedOrb: '{}' }, /the packed orb contains no digest/],
  [
    'an orb with an older step',
    { packedOrb: `${packedWith(BUNDLE)}\nversion='0.0.1'` },
    /a script of the packed orb has version 0\.0\.1/,
  ],
  ['a mirror as the address', { packedOrb: packedWith(BUNDLE, 'https://mirror.example.com/x') }, /does not download/],
  ['a changelog of another version', { changelog: '## 9.9.9 - 2026-01-31' }, /starts with "9\.9\.9 - 2026-01-31"/],
  ['a release without a date', { changelog: `## ${version} - unreleased` }, /has no date for/],
  [
    'an example of another version',
    { documents: new Map([['orb/examples/x.yml', 'machine-id: teleport/machine-id@9.1.0']]) },
    /orb\/examples\/x\.yml refers to version 9\.1\.0/,
  ],
];

for (const [what, change, finding] of misfits) {
  test(`${what} is found`, () => {
    const findings = releaseFindings({ ...fits, ...change });
    assert.ok(
      findings.some((one) => finding.test(one)),
      findings.join('\n'),
    );
  });
}

test('before the release, the changelog can say unreleased', () => {
  assert.deepEqual(releaseFindings({ ...fits, tag: undefined, changelog: `## ${version} - unreleased` }), []);
});

test('the provenance has the repository, tag, commit and build', () => {
  const environment = { CIRCLE_REPOSITORY_URL: 'https://r', CIRCLE_TAG: 'v1.2.3', CIRCLE_BUILD_URL: 'https://b' };
  const text = JSON.stringify(provenance(environment, 'c0ffee'));
  for (const part of ['git+https://r', 'refs/tags/v1.2.3', '"gitCommit":"c0ffee"', '"invocationId":"https://b"']) {
    assert.ok(text.includes(part), part);
  }
});
