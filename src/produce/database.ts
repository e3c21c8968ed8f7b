/** Produces a `database` output: a certificate with which a program may log in to one database. */
import type { AuthApi } from '../certs/auth-api.ts';
import type { Supported } from '../config/supported.ts';
import { databaseFiles } from '../outputs/database.ts';
import { findResource, type Named, namePredicate, settingPlace } from './find-resource.ts';
import { withOwnSession } from './own-session.ts';
import { placeOf } from './place.ts';
import type { WrittenOutput } from './result.ts';
import { askForIdentity, finishOutput, type OutputWork } from './work.ts';

interface Database extends Named {
  readonly protocol: string;
}

/** The user that Redis has before any other is made. */
const REDIS_DEFAULT_USER = 'default';

/** @throws MachineIdError as asking, checking and writing do */
export async function produceDatabase(output: Supported<'database'>, work: OutputWork): Promise<WrittenOutput> {
  const { run, session } = work;
  const { database, destination, format, path, service } = output;
  const { name, protocol } = await withOwnSession(output, work, ({ api }) =>
    findDatabase(api, service, settingPlace(path, 'service')),
  );
  const username = output.username ?? (protocol === 'redis' ? REDIS_DEFAULT_USER : undefined);
  if (protocol === 'mongodb' && username === undefined) {
    run.log.warn(`${path}: MongoDB needs a username in the certificate, and none is given`);
  }
  const route = {
    kind: 'database',
    serviceName: name,
    protocol,
    username: username ?? '',
    database: database ?? '',
  } as const;
  const issued = await askForIdentity(output, work, { keyPair: await work.keys.routed, route });
  run.progress.done('certificates', `certificates for ${path}: database ${name} (${protocol})`);
  const place = placeOf(destination, run);
  const files = databaseFiles({ identity: issued.identity, authorities: await session.authorities }, format);
  const access = { kind: 'database', name, protocol, user: username, database } as const;
  return finishOutput(output, work, { issued, place, files, access });
}

async function findDatabase(api: Pick<AuthApi, 'listResources'>, name: string, place: string): Promise<Database> {
  const servers = await api.listResources({ resourceType: 'db_server', predicate: namePredicate(name) });
  const found = servers.flatMap(({ resource }) => {
    const database = resource.case === 'databaseServer' ? resource.value.spec?.database : undefined;
    if (database?.metadata === undefined) return [];
    const { metadata, spec } = database;
    return [{ name: metadata.name, labels: metadata.labels, protocol: spec?.protocol ?? '' }];
  });
  const hint =
    'Compare the name with "tctl get db_server", and db_labels of the roles with the labels of the database.';
  return findResource(found, { name, kind: 'database', place, hint });
}
