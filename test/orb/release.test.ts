import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import { parse } from 'yaml';
import { packRelease } from '../../scripts/orb-pack/packed-release.ts';
import { releaseOf, withRelease } from '../../scripts/orb-pack/release.ts';
import { packedWith, sourceFiles, version } from './source.ts';
import { textAt } from './walk.ts';

const bundle = Buffer.from('the script');
const sha256 = createHash('sha256').update(bundle).digest('hex');

test('a release is an asset of the repository, under its version', () => {
  assert.deepEqual(releaseOf(bundle, '1.2.3', 'https://github.com/example/orb'), {
    version: '1.2.3',
    bundleSha256: sha256,
    downloadUrl: 'https://github.com/example/orb/releases/download/v1.2.3/machine-id.cjs',
  });
});

test('every script of the packed orb has the digest and the version', () => {
  for (const name of ['install', 'run']) {
    const command = textAt(parse(packedWith(bundle)), `commands.${name}.steps.0.run.command`) ?? '';
    assert.match(command, new RegExp(`^sha256='${sha256}'$`, 'm'));
    assert.match(command, new RegExp(`^version='${version}'$`, 'm'));
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
