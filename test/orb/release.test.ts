import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { brotliCompressSync, brotliDecompressSync } from 'node:zlib';
import { test } from 'node:test';
import { parse } from 'yaml';
import { fromBase85, toBase85 } from '../../scripts/orb-pack/base85.ts';
import { packRelease } from '../../scripts/orb-pack/packed-release.ts';
import { releaseOf, withRelease } from '../../scripts/orb-pack/release.ts';
import { packedWith, sourceFiles, version } from './source.ts';
import { strings, textAt } from './walk.ts';

const bundle = Buffer.from('the script');
const sha256 = createHash('sha256').update(bundle).digest('hex');

/** The eight texts that together are the bundle, by brotli and base85. */
function partsOf(bytes: Uint8Array): readonly string[] {
  const text = toBase85(brotliCompressSync(bytes));
  const length = Math.ceil(text.length / 8);
  return Array.from({ length: 8 }, (_, at) => text.slice(at * length, (at + 1) * length));
}

test('a bundle that is too large for the parts of the orb is rejected', () => {
  assert.throws(() => releaseOf(randomBytes(200_000), '1.2.3', 'https://github.com/example/orb', 8), {
    message: /a part of the embedded script has \d+ characters, more than 30000/,
  });
});

test('an orb without placeholders for the script accepts a bundle of any size', () => {
  assert.deepEqual(releaseOf(randomBytes(200_000), '1.2.3', 'https://github.com/example/orb', 0).bundleParts, []);
});

test('the parts in all placeholders of the orb form the script', () => {
  const script = randomBytes(20_000);
  const environment = new Map(strings(parse(packedWith(script)), '').map(({ key, value }) => [key, value]));
  const parts = [...environment].filter(([key]) => key.startsWith('MACHINE_ID_BUNDLE_'));
  assert.ok(parts.length >= 12);
  const text = parts.map((_, at) => environment.get(`MACHINE_ID_BUNDLE_${at + 1}`)).join('');
  assert.deepEqual(brotliDecompressSync(fromBase85(text)), script);
});

test('a release is an asset of the repository, under its version', () => {
  assert.deepEqual(releaseOf(bundle, '1.2.3', 'https://github.com/example/orb', 8), {
    version: '1.2.3',
    bundleSha256: sha256,
    downloadUrl: 'https://github.com/example/orb/releases/download/v1.2.3/machine-id.cjs.gz',
    bundleParts: partsOf(bundle),
  });
});

test('every script of the packed orb has the digest and the version', () => {
  for (const path of [
    'install.steps.2.when.steps.0',
    'install.steps.3.when.steps.0',
    'join.steps.0',
    'cleanup.steps.0',
  ]) {
    const command = textAt(parse(packedWith(bundle)), `commands.${path}.run.command`) ?? '';
    assert.match(command, new RegExp(`^mi_sha256='${sha256}'$`, 'm'));
    assert.match(command, new RegExp(`^mi_version='${version}'$`, 'm'));
  }
});

test('a download URL passed to the packer replaces the URL of the repository', () => {
  const packed = packedWith(bundle, 'https://mirror.example.com/m.cjs');
  const shown = textAt(parse(packed), 'commands.install.parameters.download_url.default');
  assert.equal(shown, 'https://mirror.example.com/m.cjs');
});

test('an unknown placeholder is rejected', () => {
  const release = releaseOf(bundle, '1.2.3', 'https://github.com/example/orb', 8);
  assert.throws(() => withRelease('__VERSION__ __COMMIT__', release), /unknown placeholder __COMMIT__/);
});

test('an orb without a source URL cannot be released', () => {
  const files = new Map(sourceFiles).set('@orb.yml', 'version: 2.1\n');
  assert.throws(() => packRelease({ files, bundle, version }), /display\.source_url is missing/);
});

test('base85 returns every number of bytes, and has no character that YAML, JSON, a shell or CircleCI reads', () => {
  for (let length = 0; length < 40; length += 1) {
    for (const bytes of [Buffer.alloc(length), Buffer.alloc(length, 0xff), randomBytes(length)]) {
      const text = toBase85(bytes);
      assert.equal(text.length, Math.ceil((length * 5) / 4));
      assert.deepEqual(fromBase85(text), bytes);
      assert.doesNotMatch(text, /[<"'`\\$#:_\s]/);
    }
  }
  for (const text of ['0', '<<0', '~~~~~', '12345 ']) assert.throws(() => fromBase85(text));
});
