import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { brotliCompressSync } from 'node:zlib';
import { test } from 'node:test';
import { parse } from 'yaml';
import { packRelease } from '../../scripts/orb-pack/packed-release.ts';
import { releaseOf, withRelease } from '../../scripts/orb-pack/release.ts';
import { packedWith, sourceFiles, version } from './source.ts';
import { textAt } from './walk.ts';

const bundle = Buffer.from('the script');
const sha256 = createHash('sha256').update(bundle).digest('hex');

/** The eight texts that together are the bundle, by brotli and base64. */
function partsOf(bytes: Uint8Array): readonly string[] {
  const text = brotliCompressSync(bytes).toString('base64');
  const length = Math.ceil(text.length / 8);
  return Array.from({ length: 8 }, (_, at) => text.slice(at * length, (at + 1) * length));
}

test('a bundle too large for the parts of the orb is refused', () => {
  assert.throws(() => releaseOf(randomBytes(200_000), '1.2.3', 'https://github.com/example/orb'), {
    message: /a part of the embedded script has \d+ characters, more than 30000/,
  });
});

test('a release is an asset of the repository, under its version', () => {
  assert.deepEqual(releaseOf(bundle, '1.2.3', 'https://github.com/example/orb'), {
    version: '1.2.3',
    bundleSha256: sha256,
    downloadUrl: 'https://github.com/example/orb/releases/download/v1.2.3/machine-id.cjs',
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

test('a download address of the packer replaces that of the repository', () => {
  const packed = packedWith(bundle, 'https://mirror.example.com/m.cjs');
  const shown = textAt(parse(packed), 'commands.install.parameters.download_url.default');
  assert.equal(shown, 'https://mirror.example.com/m.cjs');
});

test('a placeholder that nothing fills is refused', () => {
  const release = releaseOf(bundle, '1.2.3', 'https://github.com/example/orb');
  assert.throws(() => withRelease('__VERSION__ __COMMIT__', release), /nothing fills the placeholder __COMMIT__/);
});

test('an orb that does not say where its source is cannot be released', () => {
  const files = new Map(sourceFiles).set('@orb.yml', 'version: 2.1\n');
  assert.throws(() => packRelease({ files, bundle, version }), /display\.source_url is missing/);
});
