/** Reads the flags of the command line into settings. */
import { join } from 'node:path';
import { APPLICATION_OPTIONS } from '../outputs/application.ts';
import { DATABASE_OPTIONS } from '../outputs/database.ts';
import { IDENTITY_KEYS } from '../outputs/identity.ts';
import { KUBECONFIG_KEYS } from '../outputs/kubeconfig-keys.ts';
import { COMMON_DEFAULTS } from '../schema/common.ts';
import type { Destination } from '../schema/destination.ts';
import { defaultsOf } from '../schema/keys.ts';
import { type Findings, named, type Origin, type Setting, setting } from './findings.ts';
import type { PlacedItem } from './items.ts';
import { readJoinUri } from './join-token.ts';
import { readFlagTunnels } from './flag-tunnels.ts';
import { eachSetting, type RunFlags, type Settings } from './settings.ts';
import type { TunnelFlags } from './source.ts';

interface FlagSettings {
  /** Two layers: what the flags say one by one, and below it what `--join-uri` says. */
  readonly layers: readonly Settings[];
  /** The outputs or the tunnels that the flags request, instead of those of a file. */
  readonly items: Setting<readonly PlacedItem[]> | undefined;
}

/** @param tunnelFlags if the command opens tunnels */
export function readFlags(flags: RunFlags, findings: Findings, tunnelFlags?: TunnelFlags): FlagSettings {
  const own = eachSetting((name, { flag, read }) => {
    const given = flags[name];
    if (flag === undefined || given === undefined) return undefined;
    return setting(read.fromFlag(given, findings.reportOn(`--${flag}`)), named(`--${flag}`));
  });
  const { joinUri } = own;
  const ofUri = joinUri === undefined ? {} : readJoinUri(joinUri.value, joinUri.origin, findings);
  const items =
    tunnelFlags === undefined ? readFlagOutputs(own, findings) : readFlagTunnels(own, tunnelFlags, findings);
  return { layers: [own, ofUri], items };
}

// The outputs that the command line requests.

/**
 * `--kubernetes-cluster`, `--database` and `--application` each add one output with every role of the bot, in its own
 * folder below the destination. An identity output is written to the destination itself, with `--ssh` or if there is no
 * other output.
 */
function readFlagOutputs(own: Settings, findings: Findings): Setting<readonly PlacedItem[]> | undefined {
  const { database, databaseName, databaseUser, destination } = own;
  for (const lone of database === undefined ? [databaseUser, databaseName] : []) {
    if (lone !== undefined) {
      findings.addProblem(lone.origin, 'needs --database NAME, the name of the database in Teleport');
    }
  }
  if (destination === undefined) {
    const asked = askedFor(own);
    if (asked !== undefined && !findings.hasProblemAt('--destination')) {
      findings.addProblem(named('--destination'), `${asked.path} needs --destination DIR, the folder to write to`);
    }
    return undefined;
  }
  const { value, origin } = destination;
  const routed = [...kubernetesOutput(own, value), ...databaseOutput(own, value), ...applicationOutput(own, value)];
  const withIdentity = own.ssh?.value === true || routed.length === 0;
  return { value: [...(withIdentity ? [identityOutput(own, value)] : []), ...routed], origin };
}

/** The flag that requests an output, if any. */
function askedFor({ application, database, kubernetesCluster, ssh }: Settings): Origin | undefined {
  const asking = [kubernetesCluster, database, application, ssh?.value === true ? ssh : undefined];
  return asking.find((one) => one !== undefined)?.origin;
}

const COMMON = { ...COMMON_DEFAULTS, line: undefined };

function identityOutput({ ssh }: Settings, destination: Destination): PlacedItem {
  return {
    ...COMMON,
    ...defaultsOf(IDENTITY_KEYS),
    type: 'identity',
    destination,
    path: ssh?.value === true ? '--ssh' : '--destination',
  };
}

function kubernetesOutput({ kubernetesCluster }: Settings, destination: Destination): readonly PlacedItem[] {
  if (kubernetesCluster === undefined) return [];
  return [
    {
      ...COMMON,
      ...defaultsOf(KUBECONFIG_KEYS),
      type: 'kubernetes',
      destination: below(destination, 'kubernetes'),
      kubernetesCluster: kubernetesCluster.value,
      path: '--kubernetes-cluster',
    },
  ];
}

function databaseOutput(
  { database, databaseUser, databaseName }: Settings,
  destination: Destination,
): readonly PlacedItem[] {
  if (database === undefined) return [];
  return [
    {
      ...COMMON,
      ...defaultsOf(DATABASE_OPTIONS),
      type: 'database',
      destination: below(destination, 'database'),
      service: database.value,
      database: databaseName?.value,
      username: databaseUser?.value,
      path: '--database',
    },
  ];
}

function applicationOutput({ application }: Settings, destination: Destination): readonly PlacedItem[] {
  if (application === undefined) return [];
  return [
    {
      ...COMMON,
      ...defaultsOf(APPLICATION_OPTIONS),
      type: 'application',
      destination: below(destination, 'application'),
      appName: application.value,
      path: '--application',
    },
  ];
}

/** Each output has files of the same names, so each needs a folder. */
function below(destination: Destination, folder: string): Destination {
  return destination.type === 'directory' ? { ...destination, path: join(destination.path, folder) } : destination;
}
