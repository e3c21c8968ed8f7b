/** The flags of `install-tools`, and of the steps of the orb that call it. */
import { documentation } from '../../schema/keys.ts';
import { resolve } from 'node:path';
import { DEBUG, deadlineMs, type Flag, flagsOf, type GivenFlags, parseFlags, timeoutMs } from '../../cli/flags.ts';
import type { Declarations } from '../../config/declaration.ts';
import { RUN_OPTIONS } from '../../config/settings.ts';
import type { World } from '../../effects/world.ts';
import { MachineIdError } from '../../errors.ts';
import { TOOLS } from './release.ts';

/** The step of the orb that decides what to install. */
const PLAN_STEP = ['plan_tools'];

export const INSTALL_TOOLS = {
  tools: {
    flag: 'tools',
    value: 'NAMES',
    orb: { name: 'tools', default: 'tsh tctl', steps: PLAN_STEP },
    help: `Programs to install, separated by spaces: any of ${TOOLS.join(', ')}.`,
  },
  version: {
    flag: 'version',
    value: 'X.Y.Z|auto',
    orb: { name: 'version', default: 'auto', steps: PLAN_STEP },
    help: 'Version of Teleport, X.Y.Z. auto asks the cluster: the version that it updates its clients to, otherwise its own.',
    preset: 'auto',
  },
  edition: {
    flag: 'edition',
    value: 'auto|oss|enterprise',
    orb: { name: 'edition', type: ['auto', 'oss', 'enterprise'], default: 'auto', steps: PLAN_STEP },
    help: 'Edition of Teleport. auto asks the cluster; without a cluster it means oss.',
    preset: 'auto',
  },
  fips: {
    flag: 'fips',
    value: 'auto|required|none',
    orb: { name: 'fips', type: ['auto', 'required', 'none'], default: 'auto', steps: PLAN_STEP },
    help: 'Whether to install the FIPS build, which is for Linux. auto asks the cluster.',
    preset: 'auto',
  },
  proxyServer: {
    flag: 'proxy-server',
    value: 'HOST:PORT',
    env: 'TELEPORT_PROXY',
    orb: { name: 'proxy', steps: PLAN_STEP, more: documentation('Empty means TELEPORT_PROXY, which join exports.') },
    help: 'Web address of the Teleport Proxy to ask, host:port.',
  },
  cdnBaseUrl: {
    flag: 'cdn-base-url',
    value: 'URL',
    env: 'TELEPORT_CDN_BASE_URL',
    orb: {
      name: 'cdn_base_url',
      steps: PLAN_STEP,
      more: documentation('Empty means TELEPORT_CDN_BASE_URL, otherwise https://cdn.teleport.dev.'),
    },
    help: 'Where to download the archives from, an https URL.',
  },
  sha256: {
    flag: 'sha256',
    value: 'HEX',
    orb: { name: 'sha256', steps: PLAN_STEP, more: documentation('Give a version and an edition too.') },
    help: 'SHA-256 that the archive must have, in addition to the published one.',
  },
  writePlan: {
    flag: 'write-plan',
    value: 'FILE',
    isPath: true,
    orb: { name: 'tools_dir', steps: PLAN_STEP, suffix: '.json', declaredElsewhere: true },
    help: 'Write what would be installed to FILE, as a plan, and install nothing. The file is suitable as the key of a cache.',
  },
  directory: {
    flag: 'dir',
    value: 'DIR',
    isPath: true,
    orb: {
      name: 'tools_dir',
      default: '~/.teleport-machine-id/tools',
      steps: PLAN_STEP,
      more: documentation(
        'With cache, the path must have no variables and no slash at the end. The plan of what to install is written next to it, to a file of the same name with .json.',
      ),
    },
    help: 'Private folder to install into.',
    preset: '~/.teleport-machine-id/tools',
  },
  plan: {
    flag: 'plan',
    value: 'FILE',
    isPath: true,
    orb: { name: 'tools_dir', steps: ['install_tools'], suffix: '.json', declaredElsewhere: true },
    help: 'Install what a plan written with --write-plan says.',
  },
  cache: {
    orb: { name: 'cache', type: 'boolean', default: true, steps: PLAN_STEP },
    help: "Keep the programs in a cache of the project. Anything that writes to the project's caches can put other programs there; false downloads and verifies them in each job.",
  },
  caFile: {
    ...RUN_OPTIONS.caFile,
    isPath: true,
    help: 'PEM file with authorities: the only ones to trust for the Proxy, additional ones for the archives.',
  },
  timeout: { ...RUN_OPTIONS.timeout, help: 'How long to wait for each response, or its next byte.' },
  deadline: {
    ...RUN_OPTIONS.deadline,
    orb: {
      ...RUN_OPTIONS.deadline.orb,
      more: documentation('During a download, each byte received starts the time again.'),
    },
  },
  noExport: { flag: 'no-export', help: RUN_OPTIONS.noExport.help },
  json: RUN_OPTIONS.json,
  debug: DEBUG,
} as const satisfies Declarations;

export const INSTALL_TOOLS_FLAGS: readonly Flag[] = flagsOf(INSTALL_TOOLS);

/** Flags whose values come from the plan. */
const FLAGS_SET_BY_PLAN = [
  'tools',
  'version',
  'edition',
  'fips',
  'proxy-server',
  'cdn-base-url',
  'sha256',
  'dir',
  'write-plan',
];

export interface InstallToolsArguments {
  readonly given: GivenFlags;
  /** An absolute path. */
  readonly plan: string | undefined;
  /** An absolute path. */
  readonly writePlan: string | undefined;
  readonly caFile: string | undefined;
  readonly timeoutMs: number;
  readonly deadlineMs: number;
  readonly exportVariables: boolean;
  readonly json: boolean;
}

/** @throws MachineIdError USAGE_INVALID */
export function readInstallToolsArguments(
  args: readonly string[],
  { workingDirectory }: Pick<World, 'workingDirectory'>,
): InstallToolsArguments {
  const given = parseFlags(INSTALL_TOOLS_FLAGS, args);
  const path = (flag: string) => given.get(flag)?.map((text) => resolve(workingDirectory, text))[0];
  if (given.has('plan')) rejectFlagsWithPlan(given);
  return {
    given,
    plan: path('plan'),
    writePlan: path('write-plan'),
    caFile: given.get('ca-file')?.[0],
    timeoutMs: timeoutMs(given),
    deadlineMs: deadlineMs(given),
    exportVariables: !given.has('no-export'),
    json: given.has('json'),
  };
}

function rejectFlagsWithPlan(given: GivenFlags): void {
  const problems = FLAGS_SET_BY_PLAN.filter((flag) => given.has(flag)).map((flag) => ({
    path: `--${flag}`,
    message: 'cannot be combined with --plan, which contains its value',
  }));
  if (problems.length === 0) return;
  throw new MachineIdError('USAGE_INVALID', 'the command line is invalid', {
    hint: 'Pass these flags to the command with --write-plan instead.',
    problems,
  });
}
