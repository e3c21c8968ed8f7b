/** Produces a `database` output: a certificate with which a program may log in to one database. */
import type { AuthApi } from '../auth/auth-api.ts';
import { privateKeyPem } from '../crypto/keys.ts';
import type { OutputFile } from '../files/destination.ts';
import { findResource, type Named, namePredicate, settingPlace } from './find-resource.ts';
import {
  authorityFile,
  authorityFiles,
  type BaseFilesInput,
  identityAndKeyFiles,
  specificTlsFiles,
} from './identity-files.ts';
import type { WrittenOutput } from './journal.ts';
import type { DatabaseFormat, Supported } from './output.ts';
import { finishOutput, outputLocation, type OutputWork, requestIdentity, withOwnSession } from './work.ts';

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
  const issued = await requestIdentity(output, work, { keyPair: await work.keys.routed, route });
  run.progress.done('certificates', `certificates for ${path}: database ${name} (${protocol})`);
  const location = outputLocation(destination, run);
  const files = databaseFiles({ identity: issued.identity, authorities: await session.authorities }, format);
  const access = { kind: 'database', name, protocol, user: username, database } as const;
  return finishOutput(output, work, { issued, location, files, access });
}

async function findDatabase(api: Pick<AuthApi, 'listResources'>, name: string, location: string): Promise<Database> {
  const servers = await api.listResources({ resourceType: 'db_server', predicate: namePredicate(name) });
  const found = servers.flatMap(({ resource }) => {
    const database = resource.case === 'databaseServer' ? resource.value.spec?.database : undefined;
    if (database?.metadata === undefined) return [];
    const { metadata, spec } = database;
    return [{ name: metadata.name, labels: metadata.labels, protocol: spec?.protocol ?? '' }];
  });
  const hint =
    'Compare the name with "tctl get db_server", and db_labels of the roles with the labels of the database.';
  return findResource(found, { name, kind: 'database', location, hint });
}

// The files of a `database` output.

/** In the order in which tbot writes them. */
export function databaseFiles(input: BaseFilesInput, format: DatabaseFormat): readonly OutputFile[] {
  return [...authorityFiles(input.authorities), ...identityAndKeyFiles(input), ...formatFiles(input, format)];
}

function formatFiles(input: BaseFilesInput, format: DatabaseFormat): readonly OutputFile[] {
  switch (format) {
    case 'default':
      return [];
    case 'tls':
      return specificTlsFiles(input);
    case 'mongo':
      return mongoFiles(input);
    case 'cockroach':
      return cockroachFiles(input);
    default:
      return format satisfies never;
  }
}

/** MongoDB's programs want certificate and key in one file. */
function mongoFiles({ identity, authorities }: BaseFilesInput): OutputFile[] {
  const key = privateKeyPem(identity.keyPair).reveal();
  return [
    { name: 'mongo.crt', contents: `${identity.tlsCertificatePem}${key}` },
    authorityFile('mongo.cas', authorities.database),
  ];
}

/**
 * A `--certs-dir` of CockroachDB. tbot leaves `ca.crt` empty and has the authorities in `ca-client.crt` alone, though
 * its documentation promises `ca.crt`, which is what CockroachDB's programs read first; here both hold them. The pair is
 * named `node`, as tbot and `tctl auth sign` name it. For a user CockroachDB's programs look for `client.<user>.crt` and
 * `.key`, so they need this pair in `sslcert` and `sslkey` in the URL; tbot's names stay, for scripts that do.
 */
function cockroachFiles({ identity, authorities }: BaseFilesInput): OutputFile[] {
  return [
    { name: 'cockroach/node.crt', contents: identity.tlsCertificatePem },
    { name: 'cockroach/node.key', contents: privateKeyPem(identity.keyPair).reveal() },
    authorityFile('cockroach/ca.crt', authorities.database),
    authorityFile('cockroach/ca-client.crt', authorities.database),
  ];
}
