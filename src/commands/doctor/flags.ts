/** The flags of `doctor`: all flags of `run`, so that both are called the same way, and those of its reports. */
import { documentation } from '../../schema/keys.ts';
import { deadlineMs, type Flag, flagsOf } from '../../cli/flags.ts';
import type { Declarations } from '../../config/declaration.ts';
import type { RunFlags } from '../../config/settings.ts';
import { RETRY_POLICY } from '../../effects/retry.ts';
import type { Engine } from '../../outputs/result.ts';
import { readRunArguments, RUN, RUN_FLAGS } from '../run-flags.ts';

const DEADLINE_S = RETRY_POLICY.doctorDeadlineMs / 1000;

/** What `run` does not have, or declares differently. */
export const DOCTOR_OPTIONS = {
  deadline: {
    ...RUN.deadline,
    orb: {
      ...RUN.deadline.orb,
      default: DEADLINE_S,
      more: documentation('Shorter than that of join, so that a failure is reported soon.'),
    },
    preset: String(DEADLINE_S),
  },
  egress: {
    flag: 'egress',
    orb: { name: 'egress', type: 'boolean', more: documentation('Fails if a required one is not open.') },
    help: 'Instead of the checks, list every network connection that the job makes (host, port, SNI, ALPN, purpose) and whether it is open.',
  },
  downloadUrl: {
    flag: 'download-url',
    value: 'URL',
    orb: { name: 'download_url', default: '__DOWNLOAD_URL__', onlyWith: 'egress' },
    help: 'With egress: where install downloads the script from.',
  },
  nodeMirror: {
    flag: 'node-mirror',
    value: 'URL',
    orb: { name: 'node_mirror', default: 'https://nodejs.org/dist', onlyWith: 'egress' },
    help: 'With egress: where install downloads Node.js from.',
  },
  cdnBaseUrl: {
    flag: 'cdn-base-url',
    value: 'URL',
    env: 'TELEPORT_CDN_BASE_URL',
    orb: { name: 'cdn_base_url', onlyWith: 'egress', more: documentation('Empty means TELEPORT_CDN_BASE_URL.') },
    help: 'With egress: where install_tools downloads archives from.',
  },
  json: { flag: 'json', help: 'Print the checks as one JSON object.' },
  junit: {
    flag: 'junit',
    value: 'FILE',
    isPath: true,
    orb: { name: 'junit', more: documentation('Put it in a separate folder, as that step takes folders.') },
    help: 'File to also write the checks to as JUnit XML, for store_test_results.',
  },
} as const satisfies Declarations;

export const DOCTOR: Declarations = { ...RUN, ...DOCTOR_OPTIONS };

export const DOCTOR_FLAGS: readonly Flag[] = [
  ...RUN_FLAGS.filter(({ name }) => !Object.values(DOCTOR_OPTIONS).some(({ flag }) => flag === name)),
  ...flagsOf(DOCTOR_OPTIONS),
];

export interface DoctorArguments {
  readonly flags: RunFlags;
  readonly caFile: string | undefined;
  readonly oidcToken: string | undefined;
  readonly tokenFile: string | undefined;
  readonly engine: Engine;
  readonly exportVariables: boolean;
  readonly report: string | undefined;
  readonly timeoutMs: number;
  readonly deadlineMs: number;
  readonly json: boolean;
  readonly junit: string | undefined;
  readonly egress: boolean;
  /** Download URLs that `egress` lists instead of the defaults. */
  readonly mirrors: Readonly<Record<'script' | 'node' | 'tools', string | undefined>>;
}

/** @throws MachineIdError USAGE_INVALID */
export function readDoctorArguments(args: readonly string[]): DoctorArguments {
  const { given, ...read } = readRunArguments(args, DOCTOR_FLAGS);
  const { caFile, engine, exportVariables, flags, json, oidcToken, report, timeoutMs, tokenFile } = read;
  const text = (name: string) => given.get(name)?.[0];
  return {
    caFile,
    oidcToken,
    tokenFile,
    engine,
    exportVariables,
    report,
    flags,
    json,
    timeoutMs,
    deadlineMs: deadlineMs(given, RETRY_POLICY.doctorDeadlineMs),
    junit: text('junit'),
    egress: given.has('egress'),
    mirrors: { script: text('download-url'), node: text('node-mirror'), tools: text('cdn-base-url') },
  };
}
