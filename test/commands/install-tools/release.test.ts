import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import {
  archiveOf,
  chooseRelease,
  isReleasedFor,
  needsCluster,
  parseTools,
  type Platform,
  platformOf,
  type Release,
  releaseName,
  type ReleaseRequest,
  TOOLS,
} from '../../../src/commands/install-tools/release.ts';

const NAMES: readonly (readonly [
  node: readonly [platform: string, architecture: string],
  build: Pick<Release, 'edition' | 'fips'>,
  archive: string | undefined,
])[] = [
  [['linux', 'x64'], { edition: 'oss', fips: false }, 'teleport-v18.2.4-linux-amd64-bin.tar.gz'],
  [['linux', 'arm64'], { edition: 'oss', fips: false }, 'teleport-v18.2.4-linux-arm64-bin.tar.gz'],
  [['linux', 'arm'], { edition: 'oss', fips: false }, 'teleport-v18.2.4-linux-arm-bin.tar.gz'],
  [['linux', 'ia32'], { edition: 'oss', fips: false }, 'teleport-v18.2.4-linux-386-bin.tar.gz'],
  [['linux', 'x64'], { edition: 'enterprise', fips: false }, 'teleport-ent-v18.2.4-linux-amd64-bin.tar.gz'],
  [['linux', 'x64'], { edition: 'enterprise', fips: true }, 'teleport-ent-v18.2.4-linux-amd64-fips-bin.tar.gz'],
  [['linux', 'arm64'], { edition: 'enterprise', fips: true }, 'teleport-ent-v18.2.4-linux-arm64-fips-bin.tar.gz'],
  [['darwin', 'arm64'], { edition: 'oss', fips: false }, 'teleport-v18.2.4-darwin-arm64-bin.tar.gz'],
  [['darwin', 'x64'], { edition: 'enterprise', fips: false }, 'teleport-ent-v18.2.4-darwin-amd64-bin.tar.gz'],
  [['win32', 'x64'], { edition: 'oss', fips: false }, 'teleport-v18.2.4-windows-amd64-bin.zip'],
  [['win32', 'x64'], { edition: 'enterprise', fips: false }, 'teleport-v18.2.4-windows-amd64-bin.zip'],
  [['win32', 'arm64'], { edition: 'oss', fips: false }, 'teleport-v18.2.4-windows-amd64-bin.zip'],
  [['linux', 'riscv64'], { edition: 'oss', fips: false }, undefined],
  [['darwin', 'ia32'], { edition: 'oss', fips: false }, undefined],
  [['win32', 'ia32'], { edition: 'oss', fips: false }, undefined],
  [['freebsd', 'x64'], { edition: 'oss', fips: false }, undefined],
];

describe('the archive of Teleport 18.2.4', () => {
  for (const [node, build, archive] of NAMES) {
    test(`for ${node.join(' ')}, ${build.edition}${build.fips ? ', FIPS' : ''}: ${archive ?? 'none'}`, () => {
      const platform = platformOf(...node);
      const found = platform && archiveOf({ version: '18.2.4', ...build, platform });
      assert.equal(found?.name, archive);
      if (archive !== undefined) assert.equal(found?.format, archive.endsWith('.zip') ? 'zip' : 'tar.gz');
    });
  }
});

const LINUX: Platform = { system: 'linux', architecture: 'amd64' };
const MAC: Platform = { system: 'darwin', architecture: 'arm64' };
const WINDOWS: Platform = { system: 'windows', architecture: 'amd64' };

test('each system has its own set of programs', () => {
  const released = (platform: Platform) => TOOLS.filter((tool) => isReleasedFor(tool, platform));
  assert.deepEqual(released(LINUX), TOOLS);
  assert.deepEqual(released(MAC), ['tsh', 'tctl', 'tbot', 'teleport']);
  assert.deepEqual(released(WINDOWS), ['tsh', 'tctl', 'tbot']);
});

test('program names are separated by spaces or commas, and duplicates are ignored', () => {
  assert.deepEqual(parseTools(' tctl,tsh\n tsh '), { tools: ['tsh', 'tctl'], unknown: [] });
  assert.deepEqual(parseTools('tsh kubectl TCTL'), { tools: ['tsh'], unknown: ['kubectl', 'TCTL'] });
});

const AUTO: ReleaseRequest = { version: 'auto', edition: 'auto', fips: 'auto' };
const COMMUNITY = { toolsVersion: '18.2.4', enterprise: false, fips: false };
const ENTERPRISE = { toolsVersion: '18.2.4', enterprise: true, fips: false };
const FIPS = { toolsVersion: '18.2.4', enterprise: true, fips: true };

const CHOICES: readonly (readonly [
  what: string,
  request: Partial<ReleaseRequest>,
  cluster: typeof COMMUNITY | undefined,
  name: string,
  platform?: Platform,
])[] = [
  ['a community cluster gets its own version', {}, COMMUNITY, '18.2.4-oss-linux-amd64'],
  ['an enterprise cluster gets its edition', {}, ENTERPRISE, '18.2.4-enterprise-linux-amd64'],
  ['a FIPS cluster gets FIPS builds', {}, FIPS, '18.2.4-enterprise-fips-linux-amd64'],
  ['a FIPS cluster gets standard builds on macOS', {}, FIPS, '18.2.4-enterprise-darwin-arm64', MAC],
  ['a version takes precedence over the cluster', { version: '17.0.1' }, ENTERPRISE, '17.0.1-enterprise-linux-amd64'],
  ['an edition takes precedence over the cluster', { edition: 'oss' }, FIPS, '18.2.4-oss-linux-amd64'],
  ['FIPS can be switched off', { fips: false }, FIPS, '18.2.4-enterprise-linux-amd64'],
  [
    'FIPS can be switched on, which takes the enterprise edition',
    { fips: true },
    COMMUNITY,
    '18.2.4-enterprise-fips-linux-amd64',
  ],
  ['without a cluster it is the open-source edition', { version: '18.0.0' }, undefined, '18.0.0-oss-linux-amd64'],
];

describe('the chosen release', () => {
  for (const [what, request, cluster, name, platform = LINUX] of CHOICES) {
    test(what, () => {
      assert.equal(releaseName(chooseRelease({ ...AUTO, ...request }, platform, cluster)), name);
    });
  }
});

test('the cluster is asked only for what the flags leave open', () => {
  const said = { version: '18.2.4', edition: 'oss', fips: 'auto' } as const;
  assert.equal(needsCluster(said), false);
  assert.equal(needsCluster({ ...said, edition: 'enterprise', fips: false }), false);
  assert.equal(needsCluster({ ...said, edition: 'enterprise' }), true);
  assert.equal(needsCluster({ ...said, edition: 'auto' }), true);
  assert.equal(needsCluster({ ...said, version: 'auto' }), true);
});
