/** The output type `database`: a certificate with which a program can log in to one database. */
import * as z from 'zod/mini';
import type { AuthApi } from '../auth/auth-api.ts';
import { privateKeyPem } from '../crypto/keys.ts';
import type { OutputFile } from '../files/destination.ts';
import { resourceName } from '../schema/common.ts';
import { type Field, readBy, refuseKind, text, word } from '../schema/fields.ts';
import { documentation, joined, key, keys, type ValuesOf } from '../schema/keys.ts';
import { isMapping } from '../schema/yaml/tree.ts';
import { AUTHORITY_FILES, IDENTITY_FILES, onlyWith, TLS_FILES } from './file-list.ts';
import { findResource, type Named, namePredicate, settingPlace } from './find-resource.ts';
import {
  authorityFile,
  authorityFiles,
  type BaseFilesInput,
  identityAndKeyFiles,
  specificTlsFiles,
} from './identity-files.ts';
import type { WrittenOutput } from './result.ts';
import type { OutputOf } from './output.ts';
import { outputType } from './output-type.ts';
import { fileFailure, readIdentity } from './read-back.ts';
import { finishOutput, outputLocation, type OutputWork, requestIdentity, withLookupSession } from './work.ts';

/** In version v1 it is a mapping. */
const databaseName: Field<string | undefined> = z.transform((input, context) =>
  isMapping(input)
    ? refuseKind(
        context,
        input,
        'string; in version v2 write "service", "database" and "username" as keys of the output',
      )
    : readBy(text, input, context),
);

const FORMATS = ['tls', 'mongo', 'cockroach'] as const;

/** The additional files that a client program expects. */
export type DatabaseFormat = 'default' | (typeof FORMATS)[number];

const format: Field<DatabaseFormat> = word(FORMATS, {
  default: 'default',
  refusal: (given) => `unrecognized format (${given}); expected one of tls, mongo, cockroach`,
});

/** Its optional keys. */
export const DATABASE_OPTIONS = keys({
  database: key('database', databaseName, documentation('Name of the database on that server, for the certificate.')),
  username: key('username', text, documentation('User to log in as, for the certificate.')),
  format: key('format', format, documentation('Adds the files that a client expects: `tls`, `mongo` or `cockroach`.'), {
    write: (given) => (given === 'default' ? undefined : given),
  }),
});

const databaseKeys = joined(
  keys({
    service: key(
      'service',
      resourceName('service must not be empty'),
      documentation('Name of the database in Teleport.'),
    ),
  }),
  DATABASE_OPTIONS,
);

type DatabaseOutput = OutputOf<'database', ValuesOf<typeof databaseKeys>>;

export const database = outputType('database', {
  help: documentation('A certificate for one database, for its client programs.'),
  keys: databaseKeys,
  resource: ({ service }) => service,
  use: ({ service }) => ({ kind: 'database', service }),
  // Many databases only know RSA, so Teleport uses RSA for them in every suite.
  routedKey: 'rsa-2048',
  produce,
  files: [
    ...AUTHORITY_FILES,
    ...IDENTITY_FILES,
    ...onlyWith<DatabaseOutput>('with `format: tls`', (output) => output.format === 'tls', TLS_FILES),
    ...onlyWith<DatabaseOutput>('with `format: mongo`', (output) => output.format === 'mongo', [
      { name: 'mongo.crt', help: documentation('The TLS certificate and the key') },
      { name: 'mongo.cas', help: documentation('Authorities of database servers') },
    ]),
    ...onlyWith<DatabaseOutput>('with `format: cockroach`', (output) => output.format === 'cockroach', [
      { name: 'cockroach/node.crt', help: documentation('The TLS certificate') },
      { name: 'cockroach/node.key', help: documentation('The private key') },
      { name: 'cockroach/ca.crt', help: documentation('Authorities of database servers') },
      { name: 'cockroach/ca-client.crt', help: documentation('The same authorities'), isOptional: true },
    ]),
  ],
  readBack: (_output, files) => {
    const { credentials, route } = readIdentity(files);
    if (route?.kind !== 'database') throw fileFailure('tlscert', 'is for no database');
    const { database: name, protocol, serviceName, username } = route;
    const user = username || undefined;
    const access = { kind: 'database', name: serviceName, protocol, user, database: name || undefined } as const;
    return { ...credentials, access };
  },
});

interface Database extends Named {
  readonly protocol: string;
}

/** The user that every Redis server has. */
const REDIS_DEFAULT_USER = 'default';

async function produce(output: DatabaseOutput, work: OutputWork): Promise<WrittenOutput> {
  const { run, session } = work;
  const { database, destination, format, path, service } = output;
  const { name, protocol } = await withLookupSession(output, work, ({ api }) =>
    findDatabase(api, service, settingPlace(path, 'service')),
  );
  const username = output.username ?? (protocol === 'redis' ? REDIS_DEFAULT_USER : undefined);
  if (protocol === 'mongodb' && username === undefined) {
    run.journal.warn(`${path}: MongoDB needs a username in the certificate, but none is configured`);
  }
  const route = {
    kind: 'database',
    serviceName: name,
    protocol,
    username: username ?? '',
    database: database ?? '',
  } as const;
  const issued = await requestIdentity(output, work, { keyPair: await work.keys.routed, route });
  run.journal.outputDone('certificates', `certificates for ${path}: database ${name} (${protocol})`);
  const location = outputLocation(destination, run);
  const files = databaseFiles({ identity: issued.identity, authorities: await session.authorities }, format);
  const access = { kind: 'database', name, protocol, user: username, database } as const;
  return finishOutput(output, work, { issued, location, files, access });
}

/** By its own name, or the one under which Teleport discovered it. */
export async function findDatabase(
  api: Pick<AuthApi, 'listResources'>,
  name: string,
  location: string,
): Promise<Database> {
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

/** MongoDB's programs read certificate and key from one file. */
function mongoFiles({ identity, authorities }: BaseFilesInput): OutputFile[] {
  const key = privateKeyPem(identity.keyPair).reveal();
  return [
    { name: 'mongo.crt', contents: `${identity.tlsCertificatePem}${key}` },
    authorityFile('mongo.cas', authorities.database),
  ];
}

/**
 * A `--certs-dir` of CockroachDB. tbot leaves `ca.crt` empty and writes the authorities to `ca-client.crt` only, though
 * its documentation names `ca.crt`, which CockroachDB's programs read first; here both have them. The pair is named
 * `node`, as tbot and `tctl auth sign` name it. CockroachDB's programs look for `client.<user>.crt` and `.key`: a URL
 * must name this pair in `sslcert` and `sslkey`; the names of tbot are kept for scripts that do so.
 */
function cockroachFiles({ identity, authorities }: BaseFilesInput): OutputFile[] {
  return [
    { name: 'cockroach/node.crt', contents: identity.tlsCertificatePem },
    { name: 'cockroach/node.key', contents: privateKeyPem(identity.keyPair).reveal() },
    authorityFile('cockroach/ca.crt', authorities.database),
    authorityFile('cockroach/ca-client.crt', authorities.database),
  ];
}
