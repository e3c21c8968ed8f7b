/** The command line of the embedded cluster: runs it in the foreground, or mints a token of its issuer. */
import { renameSync, writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import type { FrontKind } from './proxy/front.ts';
import { DEFAULT_TELEPORT_VERSION, profileOf } from './data/profiles.ts';

const HELP = `Usage:
  npm run cluster -- --dir DIR [--teleport X.Y.Z] [--port N] [--front FRONT]
                         [--cluster-name NAME] [--login USER]... [--node NAME=PORT]...
                         [--without-registration-endpoint] [--ready FILE]
      Runs a cluster that behaves as Teleport X.Y.Z (${DEFAULT_TELEPORT_VERSION} unless given) until SIGTERM or SIGINT.
      Prints one line of JSON when it is ready. --login adds a Unix user to the role "access", --node says
      where on 127.0.0.1 the sshd of a node listens. --without-registration-endpoint leaves the join service
      as the only way to join. --ready writes that line to a file too, whole or not at all.

      FRONT is what stands between the clients and the Proxy:
        plain          nothing (the default)
        cloud          a router by server name, as Teleport Cloud has it
        sni-firewall   a firewall that drops *.teleport.cluster.local
        l7             a load balancer that terminates TLS and chooses no ALPN protocol
        l7-alert       the same, but refuses clients that do not offer http/1.1 with no_application_protocol
        l7-unoffered   the same, but chooses http/1.1 even if a client does not offer it
        l7-h2          the same, but speaks HTTP/2 and refuses gRPC with 464, as an AWS ALB does
        l7-no-upgrade  as l7, but removes the header Upgrade

  npm run -s cluster -- mint --dir DIR [--project ID] [--context ID]... [--organization ID] [--ttl SECONDS]
                             [--expired] [--not-yet-valid] [--audience X]... [--issuer URL] [--form v1|v2]
      Prints an OIDC token signed by the issuer of the cluster in DIR.
`;

const FRONTS: Readonly<Record<FrontKind, true>> = {
  plain: true,
  cloud: true,
  'sni-firewall': true,
  l7: true,
  'l7-alert': true,
  'l7-unoffered': true,
  'l7-h2': true,
  'l7-no-upgrade': true,
};

const LONGEST_NAME_BYTES = 109;

class UsageError extends Error {}

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
      'cluster-name': { type: 'string' },
      login: { type: 'string', multiple: true, default: [] },
      node: { type: 'string', multiple: true, default: [] },
      'without-registration-endpoint': { type: 'boolean', default: false },
      ready: { type: 'string' },
    },
  });
  const options = {
    dir: required(values.dir, '--dir'),
    teleport: checkedVersion(values.teleport),
    port: wholeNumber(values.port, '--port', 65_535),
    front: checkedFront(values.front),
    ...(values['cluster-name'] === undefined ? {} : { clusterName: checkedName(values['cluster-name']) }),
    extraLogins: values.login,
    registrationEndpoint: !values['without-registration-endpoint'],
  };
  // the servers take a second to load, which help and wrong input need not wait for
  const { startCluster } = await import('./cluster.ts');
  const cluster = await startCluster(options);
  for (const node of values.node) {
    bringOnline(cluster.nodes, node);
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

/** @param text `NAME=PORT` */
function bringOnline(nodes: readonly { readonly name: string; port?: number }[], text: string): void {
  const [name, port = ''] = text.split('=');
  const node = nodes.find((one) => one.name === name);
  if (node === undefined) {
    throw new UsageError(`--node ${text}: the nodes are ${nodes.map((one) => one.name).join(', ')}`);
  }
  node.port = wholeNumber(port, '--node', 65_535);
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
    },
  });
  const dir = required(values.dir, '--dir');
  if (values.form !== 'v1' && values.form !== 'v2') {
    throw new UsageError(`--form is v1 or v2, not ${values.form}`);
  }
  const ttlSeconds = wholeNumber(values.ttl, '--ttl', Number.MAX_SAFE_INTEGER);
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
  });
  process.stdout.write(`${token}\n`);
}

/** Node's own complaint about a flag that is unknown or lacks its value. */
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

function checkedFront(text: string): FrontKind {
  if (isFront(text)) {
    return text;
  }
  throw new UsageError(`--front is one of ${Object.keys(FRONTS).join(', ')}, not ${text}`);
}

function isFront(text: string): text is FrontKind {
  return Object.hasOwn(FRONTS, text);
}

/** In hexadecimal it must fit into an ALPN value of 255 bytes, as Teleport's own must. */
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
  const wrongInput = error instanceof UsageError || isParseArgsError(error);
  process.stderr.write(wrongInput ? `${error.message}\n\n${HELP}` : `${String(error)}\n`);
  process.exitCode = wrongInput ? 2 : 1;
});
