import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { Version } from '@cyclonedx/cyclonedx-library/Spec';
import { JsonStrictValidator } from '@cyclonedx/cyclonedx-library/Validation';
import { z } from 'zod';
import { ALLOWED_PACKAGES, bundledPackages, packageFindings } from '../../scripts/release/bundled-packages.ts';
import { sbom } from '../../scripts/release/sbom.ts';
import { temporaryFolder } from '../temporary-folder.ts';

const Manifest = z.object({
  dependencies: z.record(z.string(), z.string()),
  devDependencies: z.record(z.string(), z.string()),
});
const Lock = z.object({
  packages: z.record(z.string(), z.object({ integrity: z.string().optional() })),
});

async function json<T>(path: string, schema: z.ZodType<T>): Promise<T> {
  return schema.parse(JSON.parse(await readFile(path, 'utf8')));
}

const manifest = await json('package.json', Manifest);
const DIGEST = `sha512-${Buffer.alloc(64, 7).toString('base64')}`;
const packages = [
  { name: '@scope/one', version: '1.2.3', licence: '(Apache-2.0 AND MIT)', bytes: 10, integrity: DIGEST },
  { name: 'two', version: '2.0.0', licence: 'MIT', bytes: 20, integrity: DIGEST },
];
const input = { version: '1.0.0', bundle: Buffer.from('the script'), packages };

test('the SBOM follows the schema of CycloneDX', async () => {
  const problems: unknown = await new JsonStrictValidator(Version.v1dot6).validate(sbom(input));
  assert.equal(problems, null, JSON.stringify(problems));
});

const Sbom = z.object({
  metadata: z.object({ component: z.object({ hashes: z.array(z.object({ alg: z.string(), content: z.string() })) }) }),
  components: z.array(z.object({ purl: z.string(), hashes: z.array(z.object({ content: z.string() })) })),
});

test('the SBOM names each package with its digest, and the bundle by its own, and nothing that differs between builds', () => {
  const { components, metadata } = Sbom.parse(JSON.parse(sbom(input)));
  assert.deepEqual(
    components.map(({ purl }) => purl),
    ['pkg:npm/%40scope/one@1.2.3', 'pkg:npm/two@2.0.0'],
  );
  assert.deepEqual(
    components[0]?.hashes,
    [{ alg: 'SHA-512', content: '07'.repeat(64) }].map(({ content }) => ({ content })),
  );
  assert.deepEqual(metadata.component.hashes, [
    { alg: 'SHA-256', content: '9f1fdb76a696edc42eba820bad27c2e6fecad9b8937ecd72061f9930ea0fa44d' },
  ]);
  assert.equal(sbom(input), sbom({ ...input, packages: [...packages].reverse() }));
});

test('a package that is not in the lock file with this version has no digest, and so no SBOM', async (context) => {
  const folder = await temporaryFolder(context);
  const path = join(folder, 'packages.json');
  await writeFile(path, JSON.stringify([{ name: 'yaml', version: '0.0.1', licence: 'ISC', bytes: 1 }]));
  await assert.rejects(bundledPackages(path), /package-lock\.json has no digest of yaml 0\.0\.1/);
});

test('a bundled package that is not allowed is found, and so is an allowed one that is not bundled', () => {
  const allowed = new Map([['two', 'x']]);
  assert.deepEqual(packageFindings([{ name: 'two', version: '1.0.0' }], allowed), []);
  assert.match(packageFindings(packages, allowed).join(), /^the bundle contains @scope\/one, which /);
  assert.match(packageFindings([], allowed).join(), / allows two, which the bundle does not contain$/);
  const twice = ['1.0.0', '2.0.0'].map((version) => ({ name: 'two', version }));
  assert.deepEqual(packageFindings(twice, allowed), ['the bundle has two in two versions']);
});

test('the dependencies are the allowed packages', () => {
  assert.deepEqual(Object.keys(manifest.dependencies), [...ALLOWED_PACKAGES.keys()]);
});

test('the notices have the licence of every allowed package', async () => {
  const notices = (await readFile('dist/LICENSES.txt', 'utf8')).split(/^-{80}$/m);
  assert.equal(notices.length, ALLOWED_PACKAGES.size);
  for (const [at, name] of [...ALLOWED_PACKAGES.keys()].entries()) {
    const [heading = '', ...licence] = (notices[at] ?? '').trim().split('\n');
    assert.equal(heading.split(' ')[0], name);
    const expected = name === '@bufbuild/protobuf' ? /Buf Technologies[^]*Google Inc[^]*Apache License/ : /copyright/i;
    assert.match(licence.join('\n'), expected, name);
  }
});

test('every dependency has one version and a digest, which "npm ci" verifies', async () => {
  for (const [name, version] of Object.entries({ ...manifest.dependencies, ...manifest.devDependencies })) {
    assert.match(version, /^\d+\.\d+\.\d+$/, name);
  }
  const { packages: locked } = await json('package-lock.json', Lock);
  const without = Object.entries(locked).filter(
    ([path, { integrity }]) => path !== '' && integrity?.startsWith('sha512-') !== true,
  );
  assert.deepEqual(without, []);
});
