import assert from 'node:assert/strict';
import test from 'node:test';
import { runPage } from '../../src/commands/run-page.ts';
import { NOW_MS, reportWith } from './run-report.ts';

const BENIGN = 'Xyzzy';

for (const [what, hostile, shown] of [
  ['tags', '<script>1</script>', '&lt;script&gt;1&lt;/script&gt;'],
  ['quotes of attributes', `"onload='a'`, '&quot;onload=&apos;a&apos;'],
  ['entities', '&lt;b&#62;', '&amp;lt;b&amp;#62;'],
  ['ends of the style sheet and of comments', '</style>-->', '&lt;/style&gt;--&gt;'],
  ['overrides of direction', 'a\u202eb\u2066c', 'a b c'],
  ['marks of direction and characters without a width', 'a\u200fb\u200b\ufeffc', 'a b c'],
  ['control characters and half characters', 'a\u0000b\ud800c', 'a b c'],
] as const) {
  test(`${what} anywhere in a report are plain text on its page`, async () => {
    const [page, benign] = [runPage(await reportWith(hostile)), runPage(await reportWith(BENIGN))];
    assert.ok(benign.split(BENIGN).length > 25);
    assert.equal(page, benign.replaceAll(BENIGN, shown));
  });
}

test('the page allows nothing but its own style', async () => {
  const page = runPage(await reportWith(BENIGN));
  const policy = 'content="default-src &apos;none&apos;; style-src &apos;unsafe-inline&apos;"';
  assert.ok(page.indexOf(policy) < page.indexOf('<title>'));
  assert.doesNotMatch(page, /<script|\bon\w+=|\bsrc=|\bhref=|url\(|@import/);
});

test('a failure comes first, with its code, its problems and what to do', async () => {
  const page = runPage(await reportWith(BENIGN));
  assert.match(page, /Failed after 120 ms/);
  const failure = page.slice(page.indexOf('What went wrong'), page.indexOf('</section>'));
  assert.match(failure, /failed Xyzzy\nXyzzy \(line 5\): fault Xyzzy/);
  assert.match(failure, /Likely causes<\/h2><ol><li>first Xyzzy<li>second<\/ol>/);
  assert.match(failure, /What to do<\/h2><p>Xyzzy<p><small>OUTPUTS_FAILED/);
});

test('each output has its result and its expiry', async () => {
  const page = runPage(await reportWith(BENIGN));
  assert.match(page, /2026-11-23T11:00:00Z, 60 min after this page was written/);
  assert.match(page, /<th>For<td>orders<tr><th>Not written<td><b class="bad">RESOURCE_UNKNOWN: Xyzzy/);
  assert.match(page, /<th>For<td>dev<tr><th>Not written<td><b class="bad">the run ended earlier/);
});

test('long lifetimes are shown in hours', async () => {
  const report = await reportWith(BENIGN);
  assert.match(runPage({ ...report, writtenAtMs: NOW_MS - 86_400_000 }), /11:00:00Z, 25 h after/);
});

test('a run that failed before it knew anything has a page too', async () => {
  const { failure } = await reportWith(BENIGN);
  const page = runPage({
    version: '0.1.0',
    engine: 'native',
    writtenAtMs: NOW_MS,
    totalMs: 0,
    facts: {},
    spans: [],
    failure,
  });
  assert.match(page, /<h1>Teleport run<\/h1>/);
  assert.doesNotMatch(page, /undefined|NaN|<svg|Claims/);
});
