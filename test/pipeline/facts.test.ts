import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { test } from 'node:test';
import { isMapping, mapping, text } from '../job-runner/mapping.ts';
import { places, runs, textOrEmpty } from '../orb/walk.ts';
import { type Call, calls, config, CONFIGS, requiredBy } from './configs.ts';

const setup = await calls('.circleci/config.yml');
const release = await calls('.circleci/test-deploy.yml');
const all = [...setup, ...release];

/** No machine of the tests is like these; CONTRIBUTING.md says what happens when they have been green once. */
const NOT_YET_PROVEN = ['macos', 'windows', 'machine_arm', 'docker_arm'];

function callNamed(of: readonly Call[], name: string): Call {
  const found = of.find((call) => call.name === name);
  assert.ok(found, name);
  return found;
}

/** Of a job and of everything that it waits for. */
function requiredInAll(of: readonly Call[], name: string): ReadonlySet<string> {
  const found = new Set<string>();
  const add = (one: string): void => {
    if (found.has(one)) return;
    found.add(one);
    requiredBy(callNamed(of, one)).forEach(add);
  };
  requiredBy(callNamed(of, name)).forEach(add);
  return found;
}

for (const path of CONFIGS) {
  test(`${path}: every required job exists under a unique name`, () => {
    const of = all.filter((call) => call.config === path);
    const names = of.map(({ name }) => name);
    assert.deepEqual(names, [...new Set(names)]);
    for (const call of of) {
      for (const name of requiredBy(call)) assert.ok(names.includes(name), `${call.name} requires ${name}`);
    }
  });

  test(`${path}: workspaces are attached outside of the checkout, which can come later`, async () => {
    const found = places(await config(path), path).filter(
      ({ key, value }) => key === 'attach_workspace' && isMapping(value),
    );
    assert.ok(found.length > 0);
    for (const { value, path: place } of found) assert.match(textOrEmpty(mapping(value, place).at), /^\/tmp\//, place);
  });

  test(`${path}: downloads are compared with a digest in this repository or with the build`, async () => {
    const found = runs(await config(path), path).map(({ value }) => (isMapping(value) ? value : {}));
    for (const { command, environment } of found.filter((one) => textOrEmpty(one.command).includes('curl '))) {
      assert.match(textOrEmpty(command), /sha256sum --check|^\s*cmp /m);
      for (const [name, value] of Object.entries(mapping(environment, 'environment'))) {
        if (name.endsWith('_SHA256')) assert.match(textOrEmpty(value), /^[0-9a-f]{64}$/);
      }
      const named = textOrEmpty(command).matchAll(/\$(\w+_SHA256)/g);
      for (const [, name = ''] of named) assert.ok(isMapping(environment) && name in environment, name);
    }
  });
}

test('the sources for CircleCI are written by a job with Node.js and packed where CircleCI has its CLI', () => {
  for (const call of all.filter(({ job }) => job === 'orb-tools/pack')) {
    assert.equal(call.settings.executor, undefined, call.config);
    assert.equal(call.settings.checkout, false, call.config);
    assert.deepEqual(requiredBy(call), ['write_source'], call.config);
  }
});

test('yamllint starts in a checkout, which has its rules', async () => {
  const { settings } = callNamed(setup, 'orb-tools/lint');
  assert.notEqual(settings.checkout, false);
  assert.match(await readFile('.yamllint', 'utf8'), /^extends: relaxed$/m);
});

test('the check runs on Debian, and another job runs the tests that a container cannot', async () => {
  const { executors, jobs } = await config('.circleci/config.yml');
  const { check, full_disks: disks } = mapping(jobs, 'jobs');
  const { executor, environment } = mapping(check, 'check');
  const [{ value: image } = { value: '' }] = places(
    mapping(executors, 'executors')[text(executor, 'check')],
    'x',
  ).filter(({ key }) => key === 'image');
  assert.match(textOrEmpty(image), /^node:\d+-(bookworm|trixie)$/);
  assert.equal(mapping(environment, 'environment').TESTS_THAT_MOUNT, 'elsewhere');
  assert.equal(mapping(environment, 'environment').CONFORMANCE_SUITES, 'here', 'no suite is left out there');
  assert.match(
    JSON.stringify(disks),
    /effects\/append-file job\/manifest e2e\/odd-files e2e\/isolated-network e2e\/dead-addresses/,
  );
});

test('every call of orb-tools has a valid vcs_type, also in a project of the GitHub App', () => {
  const typed = all.filter(({ job }) => ['orb-tools/continue', 'orb-tools/publish'].includes(job));
  assert.equal(typed.length, 3);
  for (const { settings, name } of typed) assert.equal(settings.vcs_type, 'github', name);
});

test('the first job with an orb publishes a dev version, except for forks', () => {
  const { settings } = callNamed(setup, 'publish_dev');
  assert.deepEqual(settings.requires, ['write_source']);
  assert.deepEqual(settings.filters, { branches: { ignore: '/pull\\/[0-9]+/' } });
  assert.equal(settings.orb_dir, '/tmp/workspace/dev');
});

test('the release does not wait for jobs that are allowed to fail', () => {
  const needed = requiredInAll(setup, 'orb-tools/continue');
  for (const name of ['validate_variants', 'publish_dev']) assert.ok(!needed.has(name), name);
  for (const name of [
    'check',
    'full_disks',
    'orb-tools/lint',
    'orb-tools/pack',
    'orb-tools/review',
    'shellcheck/check',
  ]) {
    assert.ok(needed.has(name), name);
  }
});

test('a job that has never succeeded does not block a release, and the release document lists it', async () => {
  const needed = requiredInAll(release, 'publish_production');
  const contributing = await readFile('CONTRIBUTING.md', 'utf8');
  for (const name of NOT_YET_PROVEN) {
    callNamed(release, name);
    assert.ok(!needed.has(name), name);
    assert.ok(contributing.includes(`\`${name}\``), name);
  }
});

test('the upload waits for every other job on an executor', () => {
  const needed = requiredInAll(release, 'upload');
  const executors = release.filter(({ job }) => ['with_node', 'install_only', 'windows'].includes(job));
  for (const { name } of executors) assert.equal(needed.has(name), !NOT_YET_PROVEN.includes(name), name);
});

test('only a release tag uploads or publishes, and all earlier jobs run for this tag', () => {
  const only = { branches: { ignore: '/.*/' }, tags: { only: '/^v[0-9]+\\.[0-9]+\\.[0-9]+$/' } };
  for (const name of ['write_source', 'orb-tools/pack', 'upload', 'publish_production']) {
    assert.deepEqual(callNamed(release, name).settings.filters, only, name);
  }
  for (const call of all.filter(({ name }) => name !== 'publish_dev')) {
    const { tags } = mapping(call.settings.filters, call.name);
    assert.ok(isMapping(tags) && tags.only !== undefined, `${call.name} does not run for tags`);
  }
});

test('Windows uses the script of the checkout, which git does not change there', async () => {
  const { jobs } = await config('.circleci/test-deploy.yml');
  const { steps } = mapping(mapping(jobs, 'jobs').windows, 'windows');
  assert.match(JSON.stringify(steps), /"delivery":"download","bundle_path":"dist\/machine-id\.cjs"/);
  assert.match(await readFile('.gitattributes', 'utf8'), /^\* -text$/m);
});

test('the release has the orb and the script, each with an attestation', async () => {
  const { jobs } = await config('.circleci/test-deploy.yml');
  const upload = JSON.stringify(mapping(jobs, 'jobs').upload);
  for (const name of [
    'dist/machine-id.cjs',
    'build/machine-id.cjs.gz',
    'build/orb.yml',
    'machine-id.sigstore.json',
    'orb.sigstore.json',
  ]) {
    assert.ok(upload.includes(name), name);
  }
  assert.match(upload, /for signed in dist\/machine-id\.cjs build\/orb\.yml; do/);
});
