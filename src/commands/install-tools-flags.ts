/** The flags of `install-tools`. */
import { resolve } from 'node:path';
import type { World } from '../effects/world.ts';
import { MachineIdError } from '../errors.ts';
import { TOOLS } from '../tools/tool.ts';
import { type Flag, type GivenFlags, parseFlags } from './command-line.ts';
import { DEBUG_FLAG } from './debug-trace.ts';
import { DEADLINE_FLAG, deadlineMs, timeoutMs } from './timeout-flag.ts';

export const INSTALL_TOOLS_FLAGS: readonly Flag[] = [
  { name: 'tools', value: 'NAMES', help: `Any of ${TOOLS.join(', ')}.` },
  { name: 'version', value: 'X.Y.Z|auto', help: 'Version of Teleport; auto (the default) asks the cluster.' },
  {
    name: 'edition',
    value: 'oss|enterprise|auto',
    help: 'auto (the default) asks the cluster; without one it is oss.',
  },
  {
    name: 'fips',
    value: 'required|none|auto',
    help: 'The FIPS build, for Linux; auto (the default) asks the cluster.',
  },
  { name: 'proxy-server', value: 'HOST:PORT', help: "Web address of the cluster's Proxy (TELEPORT_PROXY)." },
  { name: 'cdn-base-url', value: 'URL', help: 'Where the archives are (TELEPORT_CDN_BASE_URL).' },
  { name: 'sha256', value: 'HEX', help: 'Digest of the archive, which must hold besides the published one.' },
  {
    name: 'dir',
    value: 'DIR',
    isPath: true,
    help: 'Private folder to install into (default ~/.teleport-machine-id/tools).',
  },
  {
    name: 'ca-file',
    value: 'FILE',
    isPath: true,
    help: 'PEM of authorities: the only ones for the Proxy, further ones for the archives (SSL_CERT_FILE).',
  },
  { name: 'timeout', value: 'SECONDS', help: 'How long to wait for an answer, or its next byte (default 30).' },
  DEADLINE_FLAG,
  {
    name: 'write-plan',
    value: 'FILE',
    isPath: true,
    help: 'Only decide what to install, and write it to FILE for a cache key.',
  },
  { name: 'plan', value: 'FILE', isPath: true, help: 'Install what such a file says.' },
  { name: 'no-export', help: 'Append nothing to $BASH_ENV.' },
  { name: 'json', help: 'Print the result as one JSON object on stdout.' },
  DEBUG_FLAG,
];

/** What a plan has decided already. */
const DECIDED = ['tools', 'version', 'edition', 'fips', 'proxy-server', 'cdn-base-url', 'sha256', 'dir', 'write-plan'];

export interface InstallToolsArguments {
  readonly given: GivenFlags;
  /** Absolute. */
  readonly plan: string | undefined;
  /** Absolute. */
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
  if (given.has('plan')) refuseBesidePlan(given);
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

function refuseBesidePlan(given: GivenFlags): void {
  const faults = DECIDED.filter((flag) => given.has(flag)).map((flag) => ({
    path: `--${flag}`,
    message: 'cannot be given with --plan, which has decided it',
  }));
  if (faults.length === 0) return;
  throw new MachineIdError('USAGE_INVALID', 'the command line is wrong', {
    hint: 'Give these flags where the plan is made, with --write-plan.',
    faults,
  });
}
