/** The tunnel type `database-tunnel`: programs reach one database without presenting a certificate. */
import { privateKeyPem } from '../crypto/keys.ts';
import { MachineIdError } from '../errors.ts';
import type { ListenAddress } from '../net/listen.ts';
import { findDatabase } from '../outputs/database.ts';
import { settingPlace } from '../outputs/find-resource.ts';
import { requestIdentity, withOwnSession } from '../outputs/work.ts';
import { requiredText } from '../schema/fields.ts';
import { documentation, key, keys } from '../schema/keys.ts';
import { hostAuthoritiesOf, type BotSession } from './bot.ts';
import { type IssuedTarget, openByteTunnel } from './byte-tunnel.ts';
import { listenField, writeListenAddress } from './listen-address.ts';
import { mysqlWire } from './mysql-wire.ts';
import { postgresWire } from './postgres-wire.ts';
import { redisWire } from './redis-wire.ts';
import { type TunnelOf, tunnelType } from './tunnel-type.ts';
import { quietWire, type Wire } from './wire.ts';
import type { TunnelWork } from './work.ts';

const databaseKeys = keys({
  listen: key('listen', listenField, documentation('Where to listen: `tcp://host:port` or `unix:///path`.'), {
    write: writeListenAddress,
  }),
  service: key(
    'service',
    requiredText('service: should not be empty'),
    documentation('Name of the database in Teleport.'),
  ),
  database: key(
    'database',
    requiredText('database: should not be empty'),
    documentation('Name of the database on that server.'),
  ),
  username: key('username', requiredText('username: should not be empty'), documentation('User to log in as.')),
});

interface DatabaseKeys {
  readonly listen: ListenAddress;
  readonly service: string;
  readonly database: string;
  readonly username: string;
}

type DatabaseTunnel = TunnelOf<'database-tunnel', DatabaseKeys>;

export const databaseTunnel = tunnelType('database-tunnel', {
  help: documentation('One database, for programs that connect without TLS.'),
  keys: databaseKeys,
  resource: ({ service }) => service,
  open: (tunnel, work) =>
    openByteTunnel(tunnel.listen, work, () => work.bot.withSession((session) => issue(tunnel, session, work))),
});

async function issue(tunnel: DatabaseTunnel, session: BotSession, { clock }: TunnelWork): Promise<IssuedTarget> {
  const { database, path, service, username } = tunnel;
  // Many databases only know RSA, so Teleport uses RSA for them in every suite.
  const routedKey = session.newKey('rsa-2048');
  routedKey.catch(() => undefined); // awaited once the database is found
  const { name, protocol } = await withOwnSession(tunnel, session, ({ api }) =>
    findDatabase(api, service, settingPlace(path, 'service')),
  );
  const alpn = alpnOf(protocol, name);
  const route = { kind: 'database', serviceName: name, protocol, username, database } as const;
  const { identity } = await requestIdentity(tunnel, session, { keyPair: await routedKey, route });
  return {
    certificate: {
      certificatePem: identity.tlsCertificatePem,
      privateKeyPem: privateKeyPem(identity.keyPair),
      hostAuthoritiesPem: await hostAuthoritiesOf(session),
      expiresAtMs: identity.expiresAtMs,
    },
    route: { alpn },
    wire: wireOf(protocol, { username, database }, clock),
    target: `database ${name} (${protocol})`,
    clientVariables: (address) => clientVariables(protocol, { username, database }, address),
  };
}

/** By the protocol of the database as Teleport calls it. */
const ALPN: ReadonlyMap<string, string> = new Map([
  ...[
    'postgres',
    'mysql',
    'mongodb',
    'redis',
    'sqlserver',
    'snowflake',
    'cassandra',
    'oracle',
    'elasticsearch',
    'opensearch',
    'dynamodb',
    'clickhouse',
    'spanner',
  ].map((protocol): [string, string] => [protocol, `teleport-${protocol}`]),
  ['cockroachdb', 'teleport-postgres'],
  ['clickhouse-http', 'teleport-clickhouse'],
]);

function alpnOf(protocol: string, database: string): string {
  const alpn = ALPN.get(protocol);
  if (alpn !== undefined) return alpn;
  const message = `database ${database} has the protocol ${JSON.stringify(protocol)}, which this version does not know`;
  throw new MachineIdError('CLUSTER_UNSUPPORTED', message, {
    hint: 'Use a newer version of this program, or an output of the type database with a client that connects by TLS.',
  });
}

interface Login {
  readonly username: string;
  readonly database: string;
}

function wireOf(protocol: string, login: Login, clock: TunnelWork['clock']): Wire {
  switch (protocol) {
    case 'postgres':
    case 'cockroachdb':
      return postgresWire(login);
    case 'mysql':
      return mysqlWire(login);
    case 'redis':
      return redisWire;
    default:
      return quietWire(clock);
  }
}

/** PostgreSQL's programs find a Unix socket by its folder and the port in its name, which is another form than here. */
function clientVariables(
  protocol: string,
  { database, username }: Login,
  address: ListenAddress,
): ReadonlyMap<string, string> {
  if (address.kind === 'unix') return protocol === 'mysql' ? new Map([['MYSQL_UNIX_PORT', address.path]]) : new Map();
  const [host, port] = [address.host, String(address.port)];
  switch (protocol) {
    case 'postgres':
    case 'cockroachdb':
      return new Map([
        ['PGHOST', host],
        ['PGPORT', port],
        ['PGUSER', username],
        ['PGDATABASE', database],
        ['PGSSLMODE', 'disable'],
      ]);
    case 'mysql':
      return new Map([
        ['MYSQL_HOST', host],
        ['MYSQL_TCP_PORT', port],
      ]);
    case 'redis':
      return new Map([['REDIS_URL', `redis://${writeListenAddress(address).replace(/^tcp:\/\//, '')}`]]);
    default:
      return new Map();
  }
}
