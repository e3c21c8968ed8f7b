/** The command line of the embedded cluster: runs it in the foreground, or mints a token of its issuer. */
import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import type { RotationPhase } from './data/authorities.ts';
import type { Limits } from './limiter.ts';
import { logLine } from './log.ts';
import type { FrontKind } from './proxy/front.ts';
import { DEFAULT_TELEPORT_VERSION, profileOf } from './data/profiles.ts';
import type { ProxyOptions } from './proxy/proxy-side.ts';
import type { ListenHost } from './tcp-listener.ts';
import type { World } from './world.ts';

const PUBLIC_PORTS = ['ssh', 'tunnel', 'kube', 'postgres'] as const;

const PHASES: Readonly<Record<RotationPhase, true>> = {
  init: true,
  update_clients: true,
  update_servers: true,
  rollback: true,
  standby: true,
};

const HELP = `Usage:
  npm run cluster -- --dir DIR [--teleport X.Y.Z] [--port N] [--front FRONT] [--front-idle-ms N]
                         [--cluster-name NAME] [--login USER]... [--node NAME=PORT]... [--database NAME=PORT]...
                         [--application NAME=PORT]...
                         [--without-registration-endpoint] [--ready FILE] [--without-web-route-to-auth]
                         [--auth-only] [--proxy-public-addr HOST:PORT] [--rotation PHASE] [--hsm]
                         [--listen-host HOST] [--public-address [PORT=]HOST:PORT]... [--token FILE]...
                         [--limits] [--rate AVERAGE/BURST] [--slow-start-ms N]
      Runs a cluster that behaves as Teleport X.Y.Z (${DEFAULT_TELEPORT_VERSION} unless given) until SIGTERM or SIGINT.
      Prints one line of JSON when it is ready. --login adds a Unix user to the role "access", --node says
      where on 127.0.0.1 the sshd of a node listens, --database and --application the same of those. A database gets
      connections with TLS: DIR/database has a certificate for it (server.crt, server.key) and the authority of its
      clients (clients.crt), whose common name is the user. --without-registration-endpoint leaves the join service
      as the only way to join. --ready writes that line to a file too, whole or not at all.

      --token FILE: creates the token and bot resources in FILE, YAML or JSON documents, as "tctl create -f" does, or
      as the Kubernetes operator does if they are its. Exits with 2 and Teleport's text if one is refused. The join
      method is circleci, or from Teleport 18.11 on generic_oidc. For the latter, clients get no reason for a refusal:
      it is in the Auth Service's log, which is printed on stderr. The JSON line names a CircleCI Server as well:
      its issuer (serverIssuer), its private authority (serverCa, for tls_ca) and its keys (serverJwks, for static_jwks).

      FRONT is what stands between the clients and the Proxy:
        plain          nothing (the default)
        cloud          a router by server name, as Teleport Cloud has it
        sni-firewall   a firewall that drops *.teleport.cluster.local
        l7             a load balancer that terminates TLS and chooses no ALPN protocol
        l7-alert       the same, but refuses clients that do not offer http/1.1 with no_application_protocol
        l7-unoffered   the same, but chooses http/1.1 even if a client does not offer it
        l7-h2          the same, but speaks HTTP/2 and refuses gRPC with 464, as an AWS ALB does
        l7-no-upgrade  as l7, but removes the header Upgrade
        separate       nothing; TLS routing is off, so that SSH, the tunnel and Kubernetes have separate ports
      --front-idle-ms: how long the fronts that terminate TLS leave a connection idle; 60000 by default.

      --without-web-route-to-auth: the web port does not route teleport-auth@ to Auth.
      --auth-only: there is no Proxy. --proxy-public-addr HOST:PORT is what Auth's Ping reports then, or instead.
      --rotation PHASE: the host and user authorities are being rotated. PHASE is one of
        ${Object.keys(PHASES).join(', ')}; the last is after the rotation.
      --hsm: the user authority has two active keys, and signs with the second.
      --listen-host HOST: 127.0.0.1 (the default), ::1, or both.
      --limits: limits clients by their address as Teleport does by default, which is the registration endpoint alone.
      --rate AVERAGE/BURST: the same, and so many requests a second to the Proxy, and so many to Auth, from one address.
      --slow-start-ms N: nothing is answered for so long, and then everything.
      --public-address [PORT=]HOST:PORT: what ping reports of the web port, or of ${PUBLIC_PORTS.join(', ')}.

  npm run -s cluster -- mint --dir DIR [--project ID] [--context ID]... [--organization ID] [--ttl SECONDS]
                             [--expired] [--not-yet-valid] [--audience X]... [--issuer URL] [--form v1|v2]
                             [--server] [--claim NAME=VALUE]...
      Prints an OIDC token signed by the issuer of the cluster in DIR, or with --server by its CircleCI Server.
      --claim sets any claim: a VALUE that is JSON as that (false, 5, ["a"], "5" for a text), null removes the claim, and
      anything else is a text. It overrides the other flags; NAME ends at the first "=".
`;

const FRONTS: Readonly<Record<FrontKind | 'separate', true>> = {
  plain: true,
  cloud: true,
  'sni-firewall': true,
  l7: true,
  'l7-alert': true,
  'l7-unoffered': true,
  'l7-h2': true,
  'l7-no-upgrade': true,
  separate: true,
};

const LISTEN_HOSTS: Readonly<Record<ListenHost, true>> = { '127.0.0.1': true, '::1': true, both: true };

const LONGEST_NAME_BYTES = 109;

class UsageError extends Error {}

/** A file whose resources the cluster refuses; the help would hide the reason. */
class RefusedFile extends Error {}

async function main(args: string[]): Promise<void> {
  if (args.includes('--help')) {
    process.stdout.write(HELP);
    return;
  }
  if (args[0] === 'mint') {
    await mint(args.slice(1));
  } else {
    await run(args);
  }
}

async function run(args: string[]): Promise<void> {
  const { values } = parseArgs({
    args,
    options: {
      dir: { type: 'string' },
      teleport: { type: 'string', default: DEFAULT_TELEPORT_VERSION },
      port: { type: 'string', default: '0' },
      front: { type: 'string', default: 'plain' },
      'front-idle-ms': { type: 'string', default: '60000' },
      'cluster-name': { type: 'string' },
      login: { type: 'string', multiple: true, default: [] },
      node: { type: 'string', multiple: true, default: [] },
      database: { type: 'string', multiple: true, default: [] },
      application: { type: 'string', multiple: true, default: [] },
      'without-registration-endpoint': { type: 'boolean', default: false },
      ready: { type: 'string' },
      'without-web-route-to-auth': { type: 'boolean', default: false },
      'auth-only': { type: 'boolean', default: false },
      'proxy-public-addr': { type: 'string' },
      rotation: { type: 'string' },
      hsm: { type: 'boolean', default: false },
      'listen-host': { type: 'string', default: '127.0.0.1' },
      'public-address': { type: 'string', multiple: true, default: [] },
      token: { type: 'string', multiple: true, default: [] },
      limits: { type: 'boolean', default: false },
      rate: { type: 'string' },
      'slow-start-ms': { type: 'string' },
    },
  });
  const options = {
    dir: required(values.dir, '--dir'),
    teleport: checkedVersion(values.teleport),
    port: wholeNumber(values.port, '--port', 65_535),
    front: checkedFront(values.front),
    frontIdleMs: wholeNumber(values['front-idle-ms'], '--front-idle-ms', 0x7fffffff),
    ...(values['cluster-name'] === undefined ? {} : { clusterName: checkedName(values['cluster-name']) }),
    extraLogins: values.login,
    registrationEndpoint: !values['without-registration-endpoint'],
    webRoutesAuth: !values['without-web-route-to-auth'],
    authOnly: values['auth-only'],
    ...(values['proxy-public-addr'] === undefined ? {} : { proxyPublicAddr: values['proxy-public-addr'] }),
    rotation: checkedPhase(values.rotation),
    hsm: values.hsm,
    listenHost: checkedHost(values['listen-host']),
    ...publicAddresses(values['public-address']),
    tokens: await resourceFiles(values.token, checkedVersion(values.teleport)),
    ...limitsOf(values.limits, values.rate, values['slow-start-ms']),
  };
  // loaded late, because the servers take a second to load, which help and invalid input do not need
  const { startCluster } = await import('./cluster.ts');
  const cluster = await startCluster(options);
  cluster.log.onEntry = (entry) => process.stderr.write(`${logLine(entry)}\n`);
  const { applications, databases } = cluster.resources;
  for (const [flag, resources, texts] of [
    ['--node', cluster.nodes, values.node],
    ['--database', databases, values.database],
    ['--application', applications, values.application],
  ] as const) {
    for (const text of texts) {
      bringOnline(flag, resources, text);
    }
  }
  if (values.database.length > 0) {
    await writeDatabaseFiles(join(options.dir, 'database'), cluster.world);
  }
  const stop = (): void => {
    cluster.close().then(
      () => process.exit(0),
      () => process.exit(1),
    );
  };
  process.once('SIGTERM', stop).once('SIGINT', stop);
  const line = `${JSON.stringify(cluster.info)}\n`;
  if (values.ready !== undefined) {
    writeFileSync(`${values.ready}.part`, line);
    renameSync(`${values.ready}.part`, values.ready);
  }
  process.stdout.write(line);
}

/** The texts of the files, each of which the cluster of this version creates. */
async function resourceFiles(paths: readonly string[], version: string): Promise<readonly string[]> {
  if (paths.length === 0) {
    return [];
  }
  const { resources } = await import('./data/data.ts');
  const { tctlCreate } = await import('./data/tctl.ts');
  return paths.map((path) => {
    try {
      const text = readFileSync(path, 'utf8');
      tctlCreate(resources([]), text, profileOf(version));
      return text;
    } catch (error) {
      throw new RefusedFile(`${path}: ${error instanceof Error ? error.message : String(error)}`);
    }
  });
}

/** @param text `NAME=PORT` */
function bringOnline(flag: string, resources: readonly { readonly name: string; port?: number }[], text: string): void {
  const [name, port = ''] = text.split('=');
  const resource = resources.find((one) => one.name === name);
  if (resource === undefined) {
    throw new UsageError(`${flag} ${text}: the names are ${resources.map((one) => one.name).join(', ')}`);
  }
  resource.port = wholeNumber(port, flag, 65_535);
}

async function writeDatabaseFiles(folder: string, world: World): Promise<void> {
  const { databaseServerCertificate } = await import('./proxy/teleport-certificate.ts');
  const { ca, cert, key } = await databaseServerCertificate(world);
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, 'server.crt'), cert);
  writeFileSync(join(folder, 'server.key'), key, { mode: 0o600 });
  writeFileSync(join(folder, 'clients.crt'), ca);
}

async function mint(args: string[]): Promise<void> {
  const { values } = parseArgs({
    args,
    options: {
      dir: { type: 'string' },
      project: { type: 'string' },
      context: { type: 'string', multiple: true },
      organization: { type: 'string' },
      ttl: { type: 'string', default: '3600' },
      expired: { type: 'boolean', default: false },
      'not-yet-valid': { type: 'boolean', default: false },
      audience: { type: 'string', multiple: true },
      issuer: { type: 'string' },
      form: { type: 'string', default: 'v1' },
      server: { type: 'boolean', default: false },
      claim: { type: 'string', multiple: true, default: [] },
    },
  });
  const dir = required(values.dir, '--dir');
  if (values.form !== 'v1' && values.form !== 'v2') {
    throw new UsageError(`--form is v1 or v2, not ${values.form}`);
  }
  const ttlSeconds = wholeNumber(values.ttl, '--ttl', Number.MAX_SAFE_INTEGER);
  const claims = Object.fromEntries(values.claim.map(claimOf));
  const { loadIssuerKey, prepareDirectory } = await import('./issuer/web-authority.ts');
  const { mintToken } = await import('./issuer/mint.ts');
  prepareDirectory(dir);
  const token = await mintToken(await loadIssuerKey(dir), {
    project: values.project,
    contexts: values.context,
    organization: values.organization,
    audience: values.audience?.length === 1 ? values.audience[0] : values.audience,
    issuer: values.issuer,
    ttlSeconds,
    expired: values.expired,
    notYetValid: values['not-yet-valid'],
    form: values.form,
    server: values.server,
    claims,
  });
  process.stdout.write(`${token}\n`);
}

/** @param text `NAME=VALUE` */
function claimOf(text: string): readonly [string, unknown] {
  const at = text.indexOf('=');
  if (at < 1) {
    throw new UsageError(`--claim is NAME=VALUE, not ${text}`);
  }
  return [text.slice(0, at), jsonOrText(text.slice(at + 1))];
}

function jsonOrText(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

function limitsOf(
  limits: boolean,
  rate: string | undefined,
  slowStart: string | undefined,
): { readonly limits?: Limits } {
  if (!limits && rate === undefined && slowStart === undefined) {
    return {};
  }
  const slowStartMs =
    slowStart === undefined ? {} : { slowStartMs: wholeNumber(slowStart, '--slow-start-ms', 600_000) };
  if (rate === undefined) {
    return { limits: slowStartMs };
  }
  const [average, burst] = /^([1-9]\d{0,5})\/([1-9]\d{0,5})$/.exec(rate)?.slice(1).map(Number) ?? [];
  if (average === undefined || burst === undefined) {
    throw new UsageError(`--rate is AVERAGE/BURST, such as 10/20, not ${rate}`);
  }
  return { limits: { ...slowStartMs, rates: [{ periodMs: 1000, average, burst }] } };
}

/** Node's own error about an unknown flag, or a flag without its value. */
function isParseArgsError(error: unknown): error is Error {
  return error instanceof Error && 'code' in error && String(error.code).startsWith('ERR_PARSE_ARGS');
}

function required(value: string | undefined, flag: string): string {
  if (value === undefined || value === '') {
    throw new UsageError(`${flag} is missing`);
  }
  return value;
}

function wholeNumber(text: string, flag: string, max: number): number {
  const value = Number(text);
  if (!/^\d+$/.test(text) || value > max) {
    throw new UsageError(`${flag} is a whole number up to ${String(max)}, not ${text}`);
  }
  return value;
}

function checkedFront(text: string): FrontKind | 'separate' {
  if (isFront(text)) {
    return text;
  }
  throw new UsageError(`--front is one of ${Object.keys(FRONTS).join(', ')}, not ${text}`);
}

function isFront(text: string): text is FrontKind | 'separate' {
  return Object.hasOwn(FRONTS, text);
}

function checkedPhase(text: string | undefined): RotationPhase | undefined {
  if (text === undefined || isPhase(text)) {
    return text;
  }
  throw new UsageError(`--rotation is one of ${Object.keys(PHASES).join(', ')}, not ${text}`);
}

function isPhase(text: string): text is RotationPhase {
  return Object.hasOwn(PHASES, text);
}

function checkedHost(text: string): ListenHost {
  if (isListenHost(text)) {
    return text;
  }
  throw new UsageError(`--listen-host is one of ${Object.keys(LISTEN_HOSTS).join(', ')}, not ${text}`);
}

function isListenHost(text: string): text is ListenHost {
  return Object.hasOwn(LISTEN_HOSTS, text);
}

/** @param texts `HOST:PORT` of the web port, or `ssh=HOST:PORT` and the like */
function publicAddresses(texts: readonly string[]): Pick<ProxyOptions, 'publicAddress' | 'publicAddresses'> {
  const others = PUBLIC_PORTS.flatMap((port) => {
    const text = texts.find((one) => one.startsWith(`${port}=`));
    return text === undefined ? [] : [[port, text.slice(port.length + 1)] as const];
  });
  const web = texts.find((text) => !text.includes('='));
  if (texts.length !== others.length + (web === undefined ? 0 : 1)) {
    throw new UsageError(`--public-address is HOST:PORT, or such an address after one of ${PUBLIC_PORTS.join('=, ')}=`);
  }
  return { ...(web === undefined ? {} : { publicAddress: web }), publicAddresses: Object.fromEntries(others) };
}

/** In hexadecimal it must fit into an ALPN value of 255 bytes, like that of a real cluster. */
function checkedName(text: string): string {
  const bytes = Buffer.byteLength(text);
  if (bytes < 1 || bytes > LONGEST_NAME_BYTES) {
    throw new UsageError(`--cluster-name has 1 to ${String(LONGEST_NAME_BYTES)} bytes, not ${String(bytes)}`);
  }
  return text;
}

function checkedVersion(version: string): string {
  try {
    return profileOf(version).version;
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error));
  }
}

main(process.argv.slice(2)).catch((error: unknown) => {
  if (error instanceof RefusedFile) {
    process.stderr.write(`${error.message}\n`);
    process.exitCode = 2;
    return;
  }
  const wrongInput = error instanceof UsageError || isParseArgsError(error);
  process.stderr.write(wrongInput ? `${error.message}\n\n${HELP}` : `${String(error)}\n`);
  process.exitCode = wrongInput ? 2 : 1;
});
