/** The flags of `doctor`: all flags of `run`, so that both are called the same way, and those of its reports. */
import { DEADLINE_FLAG, deadlineMs, type Flag } from '../../cli/flags.ts';
import type { RunFlags } from '../../config/settings.ts';
import { RETRY_POLICY } from '../../effects/retry.ts';
import type { Engine } from '../../outputs/journal.ts';
import { readRunArguments, RUN_FLAGS } from '../run-flags.ts';

/** Flags of `run` that `doctor` declares differently. */
const OVERRIDDEN_FLAGS = ['deadline', 'json'];

export const DOCTOR_FLAGS: readonly Flag[] = [
  ...RUN_FLAGS.filter(({ name }) => !OVERRIDDEN_FLAGS.includes(name)),
  {
    name: 'egress',
    help: 'Instead of the checks, list every network connection the job makes and whether it is open.',
  },
  { name: 'download-url', value: 'URL', help: "With --egress: the orb's download_url." },
  { name: 'node-mirror', value: 'URL', help: "With --egress: the orb's node_mirror." },
  { name: 'cdn-base-url', value: 'URL', help: "With --egress: the orb's cdn_base_url (TELEPORT_CDN_BASE_URL)." },
  { ...DEADLINE_FLAG, help: `Same as for run, with a shorter default (${RETRY_POLICY.doctorDeadlineMs / 1000}).` },
  { name: 'json', help: 'Print the checks as one JSON object.' },
  { name: 'junit', value: 'FILE', isPath: true, help: 'Also write the checks as JUnit XML, for store_test_results.' },
];

export interface DoctorArguments {
  readonly flags: RunFlags;
  readonly caFile: string | undefined;
  readonly oidcToken: string | undefined;
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
  const { caFile, engine, exportVariables, flags, json, oidcToken, report, timeoutMs } = read;
  const text = (name: string) => given.get(name)?.[0];
  return {
    caFile,
    oidcToken,
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
