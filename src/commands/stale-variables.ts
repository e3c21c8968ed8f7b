/** Variables of the job that programs prefer to what a run has written and exported. */
import type { RunResult, WrittenOutput } from '../outputs/result.ts';
import { isPostgres } from './exports.ts';

type Variables = ReadonlyMap<string, string>;
type Environment = Readonly<Record<string, string | undefined>>;

interface Written extends Pick<RunResult, 'outputs'> {
  /** Hosts at which clients reach the Proxy; undefined if they are not known. */
  readonly proxyHosts?: readonly string[] | undefined;
}

interface Later {
  /** What describes the credentials, whether or not it is exported. */
  readonly described: Variables;
  /** What later steps get from this run, whatever their environment has. */
  readonly exported: Variables;
  /** What they get from this program's other runs. */
  readonly earlier: Variables;
}

/** One sentence that names them; undefined if there are none. */
export function staleVariableWarning(written: Written, later: Later, environment: Environment): string | undefined {
  const names = Object.keys(environment)
    .filter((name) => isStale(name, environment[name] ?? '', written, later))
    .sort();
  if (names.length === 0) return undefined;
  return `variables that are already set in this job override what was written: ${names.join(', ')}; unset them, or remove them from the context, project settings or config that sets them`;
}

function isStale(name: string, value: string, written: Written, { described, earlier, exported }: Later): boolean {
  if (value === '' || exported.has(name) || earlier.get(name) === value) return false;
  const expected = described.get(name);
  return expected === undefined ? overrides(name, value, written) : expected !== value;
}

/** Whether a program that reads the variable then ignores a part of the credentials. */
function overrides(name: string, value: string, { outputs, proxyHosts }: Written): boolean {
  const identities = outputs.filter(({ files }) => files.includes('identity'));
  if (identities.length > 0) {
    if (name === 'TELEPORT_LOGIN') return !identities.some(({ logins = [] }) => logins.includes(value));
    if (OF_IDENTITIES.test(name)) return true;
  }
  if (outputs.some(isForPostgres)) {
    if (name === 'PGHOST' || name === 'PGHOSTADDR') return proxyHosts !== undefined && !proxyHosts.includes(value);
    if (name === 'PGSSLMODE') return ['disable', 'allow', 'prefer'].includes(value);
    if (name === 'PGSSLCERTMODE') return value === 'disable';
    if (OF_POSTGRES.includes(name)) return true;
  }
  return outputs.some(({ access }) => access?.kind === 'aws') && OF_AWS.includes(name);
}

/** tsh and tctl, and Terraform's Teleport provider, whose timeouts and retries are harmless. */
const OF_IDENTITIES =
  /^(?:TSH_\w+|TELEPORT_(?:AUTH|CONFIG_FILE|HOME|SITE|USER)|TF_TELEPORT_(?!RETRY_|DIAL_TIMEOUT_)\w+)$/;

const OF_POSTGRES: readonly string[] = ['PGPASSFILE', 'PGPASSWORD', 'PGSERVICE', 'PGSERVICEFILE'];

/** They have precedence over every profile in a file. */
const OF_AWS: readonly string[] = ['AWS_ACCESS_KEY_ID', 'AWS_PROFILE', 'AWS_SECRET_ACCESS_KEY', 'AWS_SESSION_TOKEN'];

function isForPostgres({ access }: WrittenOutput): boolean {
  return access?.kind === 'database' && isPostgres(access.protocol);
}
