/** The flags of `run`. */
import { DEADLINE_FLAG, deadlineMs, type Flag, type GivenFlags, parseFlags, timeoutMs } from '../cli/flags.ts';
import type { RunFlags } from '../config/from-flags.ts';
import { MachineIdError } from '../errors.ts';
import type { Engine } from '../outputs/journal.ts';

export const RUN_FLAGS: readonly Flag[] = [
  { name: 'config', short: 'c', value: 'FILE', help: 'Read this tbot.yaml (TBOT_CONFIG_PATH).' },
  { name: 'config-string', value: 'BASE64', help: 'The whole tbot.yaml in base64 (TBOT_CONFIG).' },
  { name: 'proxy-server', value: 'HOST:PORT', help: 'Web address of the Teleport Proxy (TELEPORT_PROXY).' },
  { name: 'auth-server', short: 'a', value: 'HOST:PORT', help: 'Older name for the address (TELEPORT_AUTH_SERVER).' },
  { name: 'token', value: 'NAME', help: 'Name of the join token (TELEPORT_BOT_TOKEN).' },
  { name: 'join-method', value: 'METHOD', help: 'circleci, which is also the default.' },
  {
    name: 'oidc-token',
    value: 'VARIABLE',
    help: "Take the OIDC token from this variable and from nowhere else (default CircleCI's own, or its agent).",
  },
  { name: 'join-uri', value: 'URI', help: 'Address, join method and token in one, as tbot takes it.' },
  {
    name: 'destination',
    aliases: ['destination-dir'],
    value: 'DIR',
    help: 'Write one identity output here, in place of the outputs of the file.',
  },
  {
    name: 'kubernetes-cluster',
    value: 'NAME',
    help: 'Write a kubeconfig for this Kubernetes cluster to DIR/kubernetes.',
  },
  { name: 'database', value: 'NAME', help: 'Write certificates for this database to DIR/database.' },
  { name: 'database-user', value: 'NAME', help: 'Log in to the database as this user.' },
  { name: 'database-name', value: 'NAME', help: 'The database on that server.' },
  { name: 'application', value: 'NAME', help: 'Write certificates for this application to DIR/application.' },
  { name: 'ssh', help: 'Beside those, write an identity with ssh_config to DIR. Without them DIR has it anyway.' },
  { name: 'storage', aliases: ['data-dir'], value: 'URI', help: "Accepted; the bot's own identity stays in memory." },
  { name: 'credential-ttl', value: 'DURATION', help: 'Lifetime of the certificates, for example 1h30m.' },
  { name: 'certificate-ttl', value: 'DURATION', help: 'Older name of --credential-ttl.' },
  { name: 'renewal-interval', value: 'DURATION', help: 'Accepted; a single run renews nothing.' },
  {
    name: 'ca-file',
    value: 'FILE',
    help: "PEM of the only authorities trusted for the Proxy's web certificate (SSL_CERT_FILE).",
  },
  {
    name: 'ca-pin',
    value: 'PIN',
    repeatable: true,
    help: 'Accepted; pins matter for a join at the Auth Service only.',
  },
  { name: 'ca-path', value: 'FILE', help: 'Accepted, as --ca-pin.' },
  { name: 'insecure', help: "Do not check the Proxy's web certificate." },
  { name: 'fips', help: 'Accepted; has no effect.' },
  { name: 'scoped', help: 'Join as a scoped bot; works with --engine tbot only.' },
  { name: 'oneshot', help: 'Accepted; a run always ends after one pass.' },
  { name: 'diag-addr', value: 'HOST:PORT', help: 'Accepted; has no effect.' },
  {
    name: 'engine',
    value: 'native|tbot',
    help: 'Who joins and writes: this program, or the tbot on PATH (default native).',
  },
  { name: 'timeout', value: 'SECONDS', help: 'How long to wait for each answer (default 30).' },
  DEADLINE_FLAG,
  { name: 'no-export', help: 'Append nothing to $BASH_ENV.' },
  { name: 'report', value: 'FILE', help: 'Write a web page about the run, also when it fails.' },
  { name: 'json', help: 'Print the result as one JSON object on stdout.' },
  { name: 'log-format', value: 'text|json', help: 'Form of the lines on stderr.' },
  { name: 'debug', short: 'd', help: 'Say more on stderr (TBOT_DEBUG).' },
];

export interface RunArguments {
  readonly flags: RunFlags;
  readonly caFile: string | undefined;
  /** Name of the variable that holds the OIDC token; undefined for CircleCI's own. */
  readonly oidcToken: string | undefined;
  readonly timeoutMs: number;
  readonly deadlineMs: number;
  readonly exportVariables: boolean;
  readonly json: boolean;
  readonly report: string | undefined;
  readonly engine: Engine;
  /** All of them, as they stand. */
  readonly given: GivenFlags;
}

/**
 * @param known the flags of another command that shares these
 * @throws MachineIdError USAGE_INVALID
 */
export function readRunArguments(args: readonly string[], known = RUN_FLAGS): RunArguments {
  const given = parseFlags(known, args);
  const text = (name: string) => given.get(name)?.[0];
  const on = (name: string) => (given.has(name) ? true : undefined);
  return {
    flags: {
      config: text('config'),
      configString: text('config-string'),
      proxyServer: text('proxy-server'),
      authServer: text('auth-server'),
      joinUri: text('join-uri'),
      token: text('token'),
      joinMethod: text('join-method'),
      destination: text('destination'),
      kubernetesCluster: text('kubernetes-cluster'),
      database: text('database'),
      databaseUser: text('database-user'),
      databaseName: text('database-name'),
      application: text('application'),
      ssh: on('ssh'),
      storage: text('storage'),
      certificateTtl: text('certificate-ttl'),
      credentialTtl: text('credential-ttl'),
      renewalInterval: text('renewal-interval'),
      caPins: given.get('ca-pin'),
      caPath: text('ca-path'),
      diagAddr: text('diag-addr'),
      logFormat: text('log-format'),
      insecure: on('insecure'),
      debug: on('debug'),
      fips: on('fips'),
      scoped: on('scoped'),
      oneshot: on('oneshot'),
    },
    caFile: text('ca-file'),
    oidcToken: variableOf(text('oidc-token')),
    timeoutMs: timeoutMs(given),
    deadlineMs: deadlineMs(given),
    exportVariables: !given.has('no-export'),
    json: given.has('json'),
    report: text('report'),
    engine: engineOf(given),
    given,
  };
}

/** The value is not repeated: somebody may have given the token itself. */
function variableOf(text: string | undefined): string | undefined {
  if (text === undefined || /^[A-Za-z_][A-Za-z0-9_]*$/.test(text)) return text;
  throw new MachineIdError('USAGE_INVALID', '--oidc-token must be the name of a variable, such as MY_OIDC_TOKEN', {
    hint: 'Give the name alone, without "$": the token itself does not belong on a command line.',
  });
}

function engineOf(given: GivenFlags): Engine {
  const [text = ''] = given.get('engine') ?? [];
  if (text === '' || text === 'native') return 'native';
  if (text === 'tbot') return text;
  throw new MachineIdError('USAGE_INVALID', `--engine ${JSON.stringify(text)} is none of native, tbot`, {
    hint: 'Leave it out to join with this program itself.',
  });
}
