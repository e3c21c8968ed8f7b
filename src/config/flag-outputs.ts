/** The outputs that the command line asks for, in place of those of a file. */
import { join } from 'node:path';
import type { Destination } from '../outputs/destination.ts';
import { DEFAULT_CONTEXT_TEMPLATE } from '../outputs/context-name.ts';
import type { Findings } from './findings.ts';
import type { RunFlags } from './flags.ts';
import { named, type PlacedItem, type Setting } from './settings.ts';
import { unexpandedValue } from './unexpanded.ts';
import { refuseWildcard } from './wildcards.ts';

/**
 * `--kubernetes-cluster`, `--database` and `--application` each stand for one output with every role of the bot, in a
 * folder of their own below the destination. An identity output goes into the destination itself: when `--ssh` asks for
 * it, and when nothing else is asked for.
 */
export function readFlagOutputs(
  flags: RunFlags,
  destination: Setting<Destination> | undefined,
  findings: Findings,
): Setting<readonly PlacedItem[]> | undefined {
  refuseLoneDatabaseFlags(flags, findings);
  refuseNames(flags, findings);
  const asked = askedFor(flags);
  if (destination === undefined) {
    if (asked !== undefined && !findings.hasFaultAt('--destination')) {
      findings.refuse(named('--destination'), `${asked} needs --destination DIR, the folder to write to`);
    }
    return undefined;
  }
  const { value, origin } = destination;
  const routed = [
    ...kubernetesOutput(flags, value),
    ...databaseOutput(flags, value),
    ...applicationOutput(flags, value),
  ];
  const withIdentity = flags.ssh === true || routed.length === 0;
  return { value: [...(withIdentity ? [identityOutput(flags, value)] : []), ...routed], origin };
}

/** The flag that asks for an output, if one does. */
function askedFor({ kubernetesCluster, database, application, ssh }: RunFlags): string | undefined {
  if (kubernetesCluster) return '--kubernetes-cluster';
  if (database) return '--database';
  if (application) return '--application';
  return ssh === true ? '--ssh' : undefined;
}

function refuseLoneDatabaseFlags({ database, databaseUser, databaseName }: RunFlags, findings: Findings): void {
  if (database) return;
  for (const [name, value] of [
    ['--database-user', databaseUser],
    ['--database-name', databaseName],
  ] as const) {
    if (value) findings.refuse(named(name), 'needs --database NAME, the database as Teleport knows it');
  }
}

function refuseNames(flags: RunFlags, findings: Findings): void {
  for (const [name, value = '', isResource = true] of [
    ['--kubernetes-cluster', flags.kubernetesCluster],
    ['--database', flags.database],
    ['--application', flags.application],
    ['--database-user', flags.databaseUser, false],
    ['--database-name', flags.databaseName, false],
  ] as const) {
    const refusal = unexpandedValue(value) ?? (isResource ? refuseWildcard(value) : undefined);
    if (refusal !== undefined) findings.refuse(named(name), refusal);
  }
}

const COMMON = { name: undefined, roles: [], lifetime: undefined, line: undefined } as const;

function identityOutput({ ssh }: RunFlags, destination: Destination): PlacedItem {
  return {
    ...COMMON,
    type: 'identity',
    destination,
    cluster: undefined,
    sshConfig: true,
    allowReissue: false,
    delegationSessionId: undefined,
    path: ssh === true ? '--ssh' : '--destination',
  };
}

function kubernetesOutput({ kubernetesCluster }: RunFlags, destination: Destination): readonly PlacedItem[] {
  if (!kubernetesCluster) return [];
  return [
    {
      ...COMMON,
      type: 'kubernetes',
      destination: below(destination, 'kubernetes'),
      kubernetesCluster,
      execPlugin: false,
      contextNameTemplate: DEFAULT_CONTEXT_TEMPLATE,
      relayServer: undefined,
      path: '--kubernetes-cluster',
    },
  ];
}

function databaseOutput(
  { database, databaseUser, databaseName }: RunFlags,
  destination: Destination,
): readonly PlacedItem[] {
  if (!database) return [];
  return [
    {
      ...COMMON,
      type: 'database',
      destination: below(destination, 'database'),
      service: database,
      database: given(databaseName),
      username: given(databaseUser),
      format: 'default',
      path: '--database',
    },
  ];
}

function applicationOutput({ application }: RunFlags, destination: Destination): readonly PlacedItem[] {
  if (!application) return [];
  return [
    {
      ...COMMON,
      type: 'application',
      destination: below(destination, 'application'),
      appName: application,
      specificTlsNaming: false,
      path: '--application',
    },
  ];
}

/** Each output has files of the same names, so each needs a folder. */
function below(destination: Destination, folder: string): Destination {
  return destination.type === 'directory' ? { ...destination, path: join(destination.path, folder) } : destination;
}

/** An empty flag is one that was not given. */
function given(value: string | undefined): string | undefined {
  return value === '' ? undefined : value;
}
