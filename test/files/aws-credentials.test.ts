import assert from 'node:assert/strict';
import test from 'node:test';
import { withoutProfile, withProfile } from '../../src/files/aws-profile.ts';

const PROFILE = { secretAccessKey: 'S', accessKeyId: 'A', sessionToken: 'T', expiresAtMs: 1_700_000_000_000 };
const OWN = `aws_secret_access_key = S
aws_access_key_id     = A
aws_session_token     = T
expiration            = 1700000000000
`;

const cases: readonly (readonly [what: string, before: string, after: string])[] = [
  ['a new file holds the profile alone', '', `[ci]\n${OWN}`],
  ['other profiles and comments stay', '# mine\n[a]\nx = 1\n\n\n', `# mine\n[a]\nx = 1\n\n[ci]\n${OWN}`],
  [
    'a profile that was there keeps its other keys',
    '[ci]\nregion = r\nAWS_Access_Key_Id=old\n[b]\n',
    `[ci]\n${OWN}region = r\n[b]\n`,
  ],
  ['the last line may have no end', '[a]\nx = 1', `[a]\nx = 1\n\n[ci]\n${OWN}`],
  ['lines may end as on Windows', '[a]\r\nx = 1\r\n', `[a]\nx = 1\n\n[ci]\n${OWN}`],
  ['names may stand apart from their brackets', '[ ci ] # old\naws_session_token = old\n', `[ci]\n${OWN}`],
];

for (const [what, before, after] of cases) {
  test(what, () => {
    assert.equal(withProfile(before, 'ci', PROFILE), after);
    assert.equal(withProfile(after, 'ci', PROFILE), after);
  });
}

test('the profile is removed again, and everything else stays', () => {
  for (const before of ['', '# mine\n[a]\nx = 1\n', '[a]\nx = 1\n[b]\ny = 2\n']) {
    assert.equal(withoutProfile(withProfile(before, 'ci', PROFILE), 'ci'), before);
  }
  assert.equal(withoutProfile('[ci]\nregion = r\naws_access_key_id = A\n', 'ci'), '[ci]\nregion = r\n');
  assert.equal(withoutProfile('[a]\nx = 1\n', 'ci'), '[a]\nx = 1\n');
});

test('a long line that sets nothing is skipped without delay', { timeout: 10_000 }, () => {
  const before = `[ci]\n${' '.repeat(200_000)}x\n${'x '.repeat(100_000)}\n`;
  assert.equal(withoutProfile(before, 'ci'), before);
});
