/**
 * Every setting of a run, declared once: flag, variable, key of the file, orb parameter, meaning, and how it is read.
 * Flags, help, precedence, the orb's parameters and the documents follow from here.
 */
import { documentation } from '../schema/keys.ts';
import { RETRY_POLICY } from '../effects/retry.ts';
import type { Field } from '../schema/fields.ts';
import type { Declaration } from './declaration.ts';
import type { Setting } from './findings.ts';
import {
  caPins,
  commandLine,
  destinationUri,
  duration,
  durationOrJob,
  expression,
  oneOf,
  path,
  type Reader,
  resourceName,
  text,
  toggle,
  tunnelAddress,
  uuid,
  variableName,
  word,
  yesWord,
} from './readers.ts';

interface SettingDeclaration extends Declaration {
  /** Key of the configuration file; a dot leads into a section. */
  readonly file?: string;
  /** The first version of the file that has the key, if not both have it. */
  readonly since?: 'v2';
  /** Has an effect here, and is in tbot's file as it was given. */
  readonly passedOn?: boolean;
  /** tbot's default. A setting with this value is not written to tbot's file. */
  readonly tbotDefault?: unknown;
  readonly read: object;
}

/** The settings of the plan, in the order used by the help, the orb's parameters and messages. */
export const SETTINGS = {
  config: {
    flag: 'config',
    short: 'c',
    value: 'FILE',
    env: 'TBOT_CONFIG_PATH',
    orb: {
      name: 'config',
      default: 'tbot.yaml',
      more: documentation(
        'The default may be missing if proxy, token or destination is set; any other path must exist. Empty means no file.',
      ),
    },
    read: expression,
    help: 'Path of the configuration file, a tbot.yaml.',
  },
  configString: {
    flag: 'config-string',
    value: 'BASE64',
    env: 'TBOT_CONFIG',
    read: expression,
    help: 'The text of the configuration file in base64.',
  },
  proxyServer: {
    flag: 'proxy-server',
    value: 'HOST:PORT',
    env: 'TELEPORT_PROXY',
    file: 'proxy_server',
    since: 'v2',
    orb: { name: 'proxy', more: documentation('Overrides the file.') },
    read: expression,
    help: 'Web address of the Teleport Proxy, host:port, such as example.teleport.sh:443.',
  },
  authServer: {
    flag: 'auth-server',
    short: 'a',
    value: 'HOST:PORT',
    env: 'TELEPORT_AUTH_SERVER',
    file: 'auth_server',
    read: expression,
    help: 'Address of the Auth Service, host:port, such as auth.example.com:3025, for jobs that reach no Proxy. Needs --ca-pin or --ca-path. A Proxy is accepted too.',
  },
  token: {
    flag: 'token',
    value: 'NAME',
    env: 'TELEPORT_BOT_TOKEN',
    file: 'onboarding.token',
    orb: { name: 'token', more: documentation('Overrides the file.') },
    read: expression,
    help: 'Name of the Teleport join token, which is not a secret. An absolute path is a file that holds the name.',
  },
  joinMethod: {
    flag: 'join-method',
    value: 'METHOD',
    file: 'onboarding.join_method',
    orb: {
      name: 'join_method',
      more: documentation('Overrides the file. Empty means the method of the file, or circleci.'),
    },
    read: word,
    help: 'The join method of the join token: circleci, or generic_oidc (Teleport 18.11 and later), whose rules can check branch, tag, fork and rerun.',
    preset: 'circleci',
  },
  audience: {
    flag: 'audience',
    value: 'AUDIENCE',
    orb: { name: 'audience' },
    read: text,
    help: "Audience of the OIDC token, for generic_oidc: spec.generic_oidc.audience of the join token. CircleCI's agent creates a token for it, and no other token is used instead.",
  },
  genericOidcEnv: {
    file: 'onboarding.generic_oidc.env',
    read: variableName,
    help: 'Name of the variable that holds the OIDC token, for generic_oidc.',
  },
  genericOidcCommand: {
    file: 'onboarding.generic_oidc.command',
    read: commandLine,
    help: 'Program that prints the OIDC token, for generic_oidc: a list of the program and its arguments, run without a shell in the home directory.',
  },
  genericOidcTimeout: {
    file: 'onboarding.generic_oidc.timeout',
    read: duration,
    help: 'How long the command may take, an hour at most.',
    preset: '1m',
  },
  joinUri: {
    flag: 'join-uri',
    value: 'URI',
    file: 'join_uri',
    since: 'v2',
    read: expression,
    help: 'Address, join method and token in one: tbot+proxy+circleci://TOKEN@HOST:PORT.',
  },
  destination: {
    flag: 'destination',
    aliases: ['destination-dir'],
    value: 'DIR',
    orb: {
      name: 'destination',
      more: documentation(
        'Keep it outside the checkout, such as ~/.teleport-identity, so that no cache, workspace or artifact contains the keys.',
      ),
    },
    read: destinationUri,
    help: "Folder to write to, instead of the file's outputs: one identity with every role of the bot, unless a Kubernetes cluster, a database or an application is given.",
  },
  ssh: {
    flag: 'ssh',
    orb: { name: 'ssh', type: 'boolean' },
    read: toggle,
    help: 'Also write the identity, which includes an ssh_config, if a Kubernetes cluster, a database or an application is given. Without those it is always written.',
  },
  kubernetesCluster: {
    flag: 'kubernetes-cluster',
    value: 'NAME',
    orb: { name: 'kubernetes_cluster', more: documentation('Later steps find it in KUBECONFIG.') },
    read: resourceName,
    help: 'Kubernetes cluster to write a kubeconfig for, in the folder kubernetes of the destination.',
  },
  database: {
    flag: 'database',
    value: 'NAME',
    orb: { name: 'database' },
    read: resourceName,
    help: 'Database to write certificates for, in the folder database of the destination.',
  },
  databaseUser: {
    flag: 'database-user',
    value: 'NAME',
    orb: { name: 'database_user' },
    read: text,
    help: 'User to log in to that database as.',
  },
  databaseName: {
    flag: 'database-name',
    value: 'NAME',
    orb: { name: 'database_name' },
    read: text,
    help: 'Name of the database on that server.',
  },
  application: {
    flag: 'application',
    value: 'NAME',
    orb: { name: 'application' },
    read: resourceName,
    help: 'Application to write certificates for, in the folder application of the destination.',
  },
  credentialTtl: {
    flag: 'credential-ttl',
    value: 'DURATION',
    file: 'credential_ttl',
    since: 'v2',
    orb: {
      name: 'credential_ttl',
      more: documentation('Overrides the file. Empty means the value of the file, or one hour.'),
    },
    read: durationOrJob,
    help: 'Lifetime of the certificates, a number with its unit, such as 90m or 1h30m. Outside the file also job: the five hours that a job may take at most.',
    preset: '1h',
  },
  certificateTtl: {
    flag: 'certificate-ttl',
    value: 'DURATION',
    file: 'certificate_ttl',
    read: duration,
    help: 'Older name of --credential-ttl.',
  },
  expectCluster: {
    flag: 'expect-cluster',
    value: 'NAME',
    orb: { name: 'expect_cluster' },
    read: text,
    help: 'Join only if the cluster has this name.',
  },
  expectBot: {
    flag: 'expect-bot',
    value: 'NAME',
    orb: { name: 'expect_bot' },
    read: text,
    help: 'Write credentials only if the join token is for this bot.',
  },
  expectProject: {
    flag: 'expect-project',
    value: 'UUID',
    orb: { name: 'expect_project' },
    read: uuid,
    help: 'Join only if the OIDC token is for the CircleCI project with this id.',
  },
  refuseSshRerun: {
    flag: 'refuse-ssh-rerun',
    orb: { name: 'refuse_ssh_rerun', type: 'boolean' },
    read: toggle,
    help: 'Do not join if the job was rerun with SSH.',
  },
  refuseFork: {
    flag: 'refuse-fork',
    orb: { name: 'refuse_fork', type: 'boolean' },
    read: toggle,
    help: 'Do not join if the job builds a pull request from a fork.',
  },
  insecure: {
    flag: 'insecure',
    file: 'insecure',
    since: 'v2',
    read: toggle,
    help: "Do not verify the certificate of the server where the bot joins: the Proxy's web certificate, or that of an Auth Service. For tests only: any server that responds gets the token.",
  },
  useProxyAddr: {
    env: 'TBOT_USE_PROXY_ADDR',
    read: yesWord,
    help: 'With the value yes, files contain the configured address instead of the web address that the Proxy advertises. Without TLS routing, the SSH address stays the advertised one.',
  },
  tunnelPublicAddr: {
    env: 'TELEPORT_TUNNEL_PUBLIC_ADDR',
    read: tunnelAddress,
    help: "Address of the reverse tunnel, host:port, instead of the one that the Proxy advertises. Only Teleport's own programs (tctl, tbot) use a tunnel; doctor tries this address for them.",
  },
  logFormat: {
    flag: 'log-format',
    value: 'text|json',
    read: oneOf(['text', 'json'], 'log format'),
    help: 'Format of the lines on stderr.',
    preset: 'text',
  },
  debug: {
    flag: 'debug',
    short: 'd',
    env: 'TBOT_DEBUG',
    file: 'debug',
    orb: { name: 'debug', type: 'boolean' },
    read: toggle,
    help: 'Log more, every connection included. Neither the token nor a key is ever logged.',
  },
  noHeartbeat: {
    flag: 'no-heartbeat',
    orb: {
      name: 'heartbeat',
      type: 'boolean',
      default: true,
      description: documentation(
        "Report the job's number, its project and the version of the script to the cluster, which shows them with the bot instance.",
      ),
    },
    read: toggle,
    help: "Do not report the job's number, its project and the version of this program to the cluster.",
  },
  storage: {
    flag: 'storage',
    aliases: ['data-dir'],
    value: 'URI',
    file: 'storage',
    since: 'v2',
    read: destinationUri,
    help: "Where tbot keeps the bot's own identity, which stays in memory here.",
    effect: 'none',
  },
  oneshot: {
    flag: 'oneshot',
    file: 'oneshot',
    read: toggle,
    help: 'Exit after one pass, as every run does.',
    effect: 'none',
  },
  scoped: {
    flag: 'scoped',
    file: 'scoped',
    since: 'v2',
    read: toggle,
    help: 'Join as a scoped bot, which only tbot supports (--engine tbot).',
  },
  renewalInterval: {
    flag: 'renewal-interval',
    value: 'DURATION',
    file: 'renewal_interval',
    read: duration,
    help: 'How often to renew the certificates; a single run does not renew them.',
    effect: 'tbot',
  },
  leeway: {
    file: 'leeway',
    since: 'v2',
    read: duration,
    help: 'Clock leeway for the renewal of identities.',
    effect: 'tbot',
    tbotDefault: 60_000,
  },
  caPins: {
    flag: 'ca-pin',
    value: 'PIN',
    repeatable: true,
    file: 'onboarding.ca_pins',
    read: caPins,
    help: 'Pin of the host authority, as "tctl status" prints it, for a join at the Auth Service. During a rotation there are two, and both are needed.',
    passedOn: true,
  },
  caPath: {
    flag: 'ca-path',
    value: 'FILE',
    file: 'onboarding.ca_path',
    read: path,
    help: 'PEM file with the host authority, as "tctl auth export --type=tls-host" prints it, for a join at the Auth Service, instead of a pin.',
    passedOn: true,
  },
  fips: {
    flag: 'fips',
    file: 'fips',
    read: toggle,
    help: 'Use FIPS-validated cryptography.',
    effect: 'tbot',
    tbotDefault: false,
  },
  diagAddr: {
    flag: 'diag-addr',
    value: 'HOST:PORT',
    file: 'diag_addr',
    read: text,
    help: 'Address to serve diagnostics on.',
    effect: 'tbot',
  },
} as const satisfies Readonly<Record<string, SettingDeclaration>>;

export const ENGINES = ['native', 'tbot'] as const;

/** Options of the commands `run` and `doctor`, which are not part of the plan. */
export const RUN_OPTIONS = {
  engine: {
    flag: 'engine',
    value: 'native|tbot',
    orb: { name: 'engine', type: ENGINES, default: 'native', more: documentation('install_tools can install tbot.') },
    help: 'What joins and writes the files: this program (native), or the tbot on PATH.',
    preset: 'native',
  },
  oidcToken: {
    flag: 'oidc-token',
    value: 'VARIABLE',
    orb: {
      name: 'oidc_token',
      type: 'env_var_name',
      default: 'CIRCLE_OIDC_TOKEN',
      description: documentation(
        "Name of the variable that holds the OIDC token. Keep CircleCI's own unless an earlier step has requested a token with custom claims.",
      ),
    },
    help: 'Name of the variable that holds the OIDC token, which is then the only source of it.',
    preset: "CircleCI's own, or its agent",
  },
  tokenFile: {
    flag: 'token-file',
    value: 'FILE',
    orb: {
      name: 'token_file',
      more: documentation('Empty means no file. A refusal of generic_oidc has no reason otherwise.'),
    },
    help: 'File with the join token, as for "tctl create -f": if the cluster refuses the job, what this token decides about it is printed.',
  },
  caFile: {
    flag: 'ca-file',
    value: 'FILE',
    env: 'SSL_CERT_FILE',
    orb: {
      name: 'ca_file',
      more: documentation('Empty means those of Node.js and of SSL_CERT_FILE or NODE_EXTRA_CA_CERTS.'),
    },
    help: "PEM file with the only authorities to trust for the Proxy's web certificate.",
  },
  timeout: {
    flag: 'timeout',
    value: 'SECONDS',
    help: 'How long to wait for each response.',
    preset: '30',
  },
  deadline: {
    flag: 'deadline',
    value: 'SECONDS',
    orb: { name: 'deadline', type: 'integer', default: RETRY_POLICY.deadlineMs / 1000 },
    help: 'How many seconds to retry temporary failures in total: an unreachable or overloaded server, or a rate limit.',
    preset: String(RETRY_POLICY.deadlineMs / 1000),
  },
  noExport: {
    flag: 'no-export',
    orb: {
      name: 'export_env',
      type: 'boolean',
      default: true,
      description: documentation('Export paths and names (never keys) to later steps through $BASH_ENV.'),
      ofJob: false,
    },
    help: 'Append nothing to $BASH_ENV.',
  },
  refresh: {
    flag: 'refresh',
    orb: { name: 'refresh', type: 'boolean' },
    help: 'Leave a process that renews the credentials, in the same folders, before they expire and until the job ends.',
  },
  report: {
    flag: 'report',
    value: 'FILE',
    orb: {
      name: 'report',
      more: documentation(
        'Empty means no report. Store it with store_artifacts; the job run does that itself, and accepts no variables in the path.',
      ),
    },
    help: 'File for a web page about the run, written even if the run fails: timeline, outputs and claims, no credentials.',
  },
  json: { flag: 'json', help: 'Print the result as one JSON object on stdout.' },
  anonymousTelemetry: {
    env: 'TELEPORT_ANONYMOUS_TELEMETRY',
    orb: { name: 'anonymous_telemetry', type: 'boolean' },
    help: "Send one event without names to Teleport's vendor when the run starts, as tbot does if enabled. The documentation lists its fields.",
  },
} as const satisfies Readonly<Record<string, Declaration>>;

// The types that follow.

type Table = typeof SETTINGS;
export type SettingName = keyof Table;

type Givens = { readonly [Name in SettingName]: Returned<Table[Name]['read']['fromArguments']> };
type Values = { readonly [Name in SettingName]: Returned<Table[Name]['read']['fromFlag']> };
type Returned<Read> = Read extends (...given: never) => infer Result ? NonNullable<Result> : never;

/** Values of flags, before they are checked. An absent flag, an empty one and `undefined` mean the same: not given. */
export type RunFlags = { readonly [Name in SettingName]?: Givens[Name] | undefined };

/** The settings of one source; `undefined` means not given. */
export type Settings = { readonly [Name in SettingName]?: Setting<Values[Name]> | undefined };

/** The values that a run uses, from all sources; a setting that no source gives is absent. */
export type SettingValues = { readonly [Name in SettingName]?: Values[Name] };

type ReadDeclaration<Given, Value> = SettingDeclaration & { readonly read: Reader<Given, Value> };

const DECLARED: { readonly [Name in SettingName]: ReadDeclaration<Givens[Name], Values[Name]> } = SETTINGS;

const NAMES = Object.keys(SETTINGS).filter((name): name is SettingName => name in SETTINGS);

/** @param given by name of the flag, the value of each use; '' for a switch */
export function runFlags(given: ReadonlyMap<string, readonly string[]>): RunFlags {
  const flagOf = <Name extends SettingName>(name: Name): Givens[Name] | undefined => {
    const { flag = '', read } = DECLARED[name];
    const texts = given.get(flag);
    return texts === undefined ? undefined : read.fromArguments(texts);
  };
  return NAMES.reduce<RunFlags>((flags, name) => ({ ...flags, [name]: flagOf(name) }), {});
}

/** The fields of a file of `version`, by key: those at its top level, or those in `section`. */
export function fileFields(version: 'v1' | 'v2', section?: string): Readonly<Record<string, Field<unknown>>> {
  const declared: readonly (SettingDeclaration & { readonly read: { readonly field: Field<unknown> } })[] =
    Object.values(DECLARED);
  return Object.fromEntries(
    declared.flatMap(({ file, read: { field }, since = 'v1' }) => {
      const [key = '', ...outer] = (file ?? '').split('.').reverse();
      return file !== undefined && since <= version && outer[0] === section ? [[key, field]] : [];
    }),
  );
}

/** Calls `make` for each setting, in the order of the table. */
export function eachSetting(make: MakeSetting): Settings {
  const made = <Name extends SettingName>(name: Name) => make(name, DECLARED[name]);
  return NAMES.reduce<Settings>((settings, name) => ({ ...settings, [name]: made(name) }), {});
}

type MakeSetting = <Name extends SettingName>(
  name: Name,
  declaration: ReadDeclaration<Givens[Name], Values[Name]>,
) => Setting<Values[Name]> | undefined;

export function valuesOf(settings: Settings): SettingValues {
  const valueOf = <Name extends SettingName>(name: Name): Values[Name] | undefined => settings[name]?.value;
  return NAMES.filter((name) => settings[name] !== undefined).reduce<SettingValues>(
    (values, name) => ({ ...values, [name]: valueOf(name) }),
    {},
  );
}

/** Keys of the file that only tbot uses: those at its top level, or those in `section`. */
export function tbotKeys(
  values: SettingValues,
  workingDirectory: string,
  section?: string,
): Readonly<Record<string, unknown>> {
  const written = <Name extends SettingName>(name: Name, value: Values[Name] | undefined): unknown => {
    const { read, tbotDefault } = DECLARED[name];
    return value === undefined || value === tbotDefault ? undefined : read.write(value, workingDirectory);
  };
  return Object.fromEntries(
    NAMES.flatMap((name) => {
      const { effect, file = '', passedOn = false } = DECLARED[name];
      const [key = '', ...outer] = file.split('.').reverse();
      const value = (passedOn || effect === 'tbot') && outer[0] === section ? written(name, values[name]) : undefined;
      return value === undefined ? [] : [[key, value]];
    }),
  );
}
