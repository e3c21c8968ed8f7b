/** `doctor --egress`: the connections a job makes and whether each is open, as a table for a network team. */
import { table } from '../../cli/print.ts';
import { utcTime } from '../../crypto/validity.ts';
import { type Style, styleFor } from '../../effects/terminal.ts';
import { VERSION, type World } from '../../effects/world.ts';
import { MachineIdError, printable, printableJson } from '../../errors.ts';
import { formatAddress } from '../../net/address.ts';
import { routeText } from '../../net/egress-cause.ts';
import { proxyName, proxyUrl } from '../../net/egress-proxy.ts';
import { DEFAULT_BASE_URL } from '../install-tools/request.ts';
import { type Check, check } from './check.ts';
import { blockedConnections, checkEgress, type Connection, type EgressReport } from './egress-connections.ts';
import { hostPortText } from './egress-endpoints.ts';
import type { EgressResult } from './egress-verdict.ts';
import type { DoctorArguments } from './flags.ts';
import { writeJunit } from './junit.ts';
import { directText, topologyText } from './topology.ts';

/** The default of the orb parameter `download_url`. */
export const SCRIPT_URL = `https://github.com/teleport-machine-id/orb/releases/download/v${VERSION}/machine-id.cjs.gz`;
/** The default of the orb parameter `node_mirror`. */
export const NODE_URL = 'https://nodejs.org/dist';

/** @throws MachineIdError DOCTOR_FAILED when a connection that the job needs is not open; DESTINATION_UNWRITABLE */
export async function reportEgress(
  { caFile, engine, flags, json, junit, mirrors, oidcToken, timeoutMs }: Omit<DoctorArguments, 'egress'>,
  world: World,
): Promise<void> {
  const { TELEPORT_CDN_BASE_URL: cdn = '' } = world.environment;
  const downloads = {
    script: mirrors.script ?? SCRIPT_URL,
    node: mirrors.node ?? NODE_URL,
    tools: mirrors.tools ?? (cdn === '' ? DEFAULT_BASE_URL : cdn),
  };
  const egress = await checkEgress({ caFile, engine, flags, oidcToken, timeoutMs, downloads }, world);
  const time = utcTime(world.clock.nowMs());
  if (junit !== undefined) await writeJunit(junit, checksOf(egress, world), world);
  await (json
    ? world.result(`${printableJson(egressJson(egress, time))}\n`)
    : world.stdout(egressText(egress, time, styleFor(world.stdoutIsTerminal, world.environment))));
  const blocked = blockedConnections(egress.connections);
  if (blocked.length > 0) {
    const names = blocked.map(({ purpose }) => purpose).join(', ');
    throw new MachineIdError('DOCTOR_FAILED', `connections that the job needs are not open: ${names}`, {
      hint: 'Send the table to the team that manages the firewall or the load balancer: each row has host, port, SNI and ALPN.',
    });
  }
}

const WORDS: Readonly<Record<EgressResult, string>> = {
  open: 'open',
  closed: 'closed',
  dropped: 'dropped',
  other: 'unexpected server',
  unresolved: 'name not found',
  untried: 'not tried',
  none: 'no connection',
};

const RESULT_STYLES: Readonly<Record<EgressResult, keyof Style>> = {
  open: 'success',
  closed: 'failure',
  dropped: 'failure',
  other: 'failure',
  unresolved: 'failure',
  untried: 'warning',
  none: 'dim',
};

const NEEDS: Readonly<Record<Connection['need'], string>> = {
  always: 'yes',
  either: 'one of two',
  sometimes: 'in some jobs',
};

const TITLE = 'Network connections of a CircleCI job that joins Teleport';

function egressJson(report: EgressReport, time: string): object {
  const { address, auth, cluster, connections, notes } = report;
  const known = knownCluster(report);
  const topology = topologyOf(report);
  return {
    title: TITLE,
    version: VERSION,
    time,
    proxy: address === undefined ? null : formatAddress(address),
    auth: auth === undefined ? null : formatAddress(auth.address),
    cluster:
      known === undefined
        ? null
        : { name: known.clusterName, version: known.serverVersion.text, tlsRouting: cluster?.tlsRouting ?? null },
    topology: topology === undefined ? null : printable(topology),
    notes: notes.map(printable),
    missing: blockedConnections(connections).map(({ id }) => id),
    connections: connections.map((one) => ({
      id: one.id,
      purpose: one.purpose,
      host: one.host ?? null,
      port: one.port ?? null,
      protocol: one.protocol ?? null,
      sni: one.sni ?? null,
      alpn: one.alpn,
      addresses: one.addresses,
      route: wayText(one) ?? null,
      proxy: one.route?.kind === 'proxy' ? proxyUrl(one.route.proxy) : null,
      upgrade: one.isUpgraded,
      need: one.need,
      neededFor: one.neededFor,
      when: one.when,
      result: one.result,
      detail: printable(one.detail),
    })),
  };
}

function egressText(egress: EgressReport, time: string, style: Style): string {
  const { address, auth, connections, notes } = egress;
  const cluster = knownCluster(egress);
  const topology = topologyOf(egress);
  const noProxy = auth === undefined ? 'not configured' : auth.cluster === undefined ? 'unknown' : 'none is reported';
  const head = table([
    ...(auth === undefined ? [] : [['Auth Service', formatAddress(auth.address)]]),
    ['Proxy', address === undefined ? noProxy : formatAddress(address)],
    ['Cluster', cluster === undefined ? 'unknown' : describe(cluster)],
    ...(topology === undefined ? [] : [['Topology', topology]]),
    ['Time', time],
    ['Program', `teleport/machine-id ${VERSION}`],
  ]);
  return [
    style.bold(TITLE),
    '',
    ...head,
    ...notes.map((note) => `Note: ${printable(note)}`),
    '',
    ...rows(connections, style),
    '',
    ...connections.flatMap(details),
    ...addressLines(connections),
    '',
    LEGEND,
    '',
    summary(connections),
    '',
  ].join('\n');
}

type KnownCluster = NonNullable<EgressReport['cluster'] | NonNullable<EgressReport['auth']>['cluster']>;

function knownCluster({ auth, cluster }: EgressReport): KnownCluster | undefined {
  return auth?.cluster ?? cluster;
}

function topologyOf({ auth, balancer, cluster }: EgressReport): string | undefined {
  const throughProxy = cluster && topologyText(cluster, balancer);
  if (auth?.cluster === undefined) return throughProxy;
  const later = throughProxy === undefined ? '' : `; the Proxy that later steps use: ${throughProxy}`;
  return `${directText(auth.address)}${later}`;
}

function describe({ clusterName, serverVersion }: KnownCluster): string {
  return `${clusterName}, Teleport ${serverVersion.text}`;
}

/** Undefined where no connection is made, or where to is unknown. */
function wayText({ isUpgraded, route }: Connection): string | undefined {
  return route === undefined ? undefined : `${routeText(route)}${isUpgraded ? ', inside a connection upgrade' : ''}`;
}

/** The same in a word or two. */
function shortWay({ isUpgraded, route }: Connection): string {
  if (route === undefined) return '-';
  const way = route.kind === 'proxy' ? route.proxy.variable : 'direct';
  return isUpgraded ? `${way}, upgraded` : way;
}

/** The widest columns come last, so that a line too wide for the screen still shows the result. */
function rows(connections: readonly Connection[], style: Style): readonly string[] {
  const either = connections.filter(({ need }) => need === 'either').length;
  const cells = connections.map((one, at) => [
    String(at + 1),
    WORDS[one.result],
    one.need === 'either' && either > 2 ? 'one of three' : NEEDS[one.need],
    one.purpose,
    shortWay(one),
    hostPortText(one) || '-',
    one.sni ?? '-',
    one.alpn.join(', ') || '-',
  ]);
  const [head = '', ...lines] = table([
    ['#', 'Result', 'Needed', 'Connection', 'Route', 'Host and port', 'SNI', 'ALPN'],
    ...cells,
  ]);
  return [
    style.bold(head),
    ...lines.map((line, at) => withResultStyle(line, connections[at]?.result ?? 'none', style)),
  ];
}

function withResultStyle(line: string, result: EgressResult, style: Style): string {
  return line.replace(WORDS[result], style[RESULT_STYLES[result]](WORDS[result]));
}

function details(one: Connection, at: number): readonly string[] {
  const { detail, neededFor, purpose, when } = one;
  const way = wayText(one);
  const route = way === undefined ? [] : [`   Route: ${way}`];
  return [`${at + 1}. ${purpose}`, `   ${printable(detail)}`, ...route, `   For: ${neededFor}`, `   When: ${when}`];
}

function addressLines(connections: readonly Connection[]): readonly string[] {
  const hosts = new Map(
    connections.flatMap(({ addresses, host }) =>
      host === undefined || addresses.length === 0 ? [] : [[host, addresses]],
    ),
  );
  if (hosts.size === 0) return [];
  return [
    '',
    'The names resolve to:',
    ...table([...hosts].map(([host, addresses]) => [`  ${host}`, addresses.join(', ')])),
  ];
}

const LEGEND = `open: the expected server responds. closed: the connection is refused or closed. dropped: no response.
unexpected server: another certificate, ALPN or protocol, for example of a proxy that terminates TLS.
upgraded: inside a WebSocket (GET /webapi/connectionupgrade), through a load balancer that terminates TLS.
All connections are outgoing TCP. TLS must not be intercepted: the job verifies the certificate of the named host.`;

function summary(connections: readonly Connection[]): string {
  const blocked = blockedConnections(connections);
  if (blocked.length === 0) return 'Every connection that the job needs is open.';
  return `Needed but not open: ${blocked.map(({ purpose }) => purpose).join(', ')}.`;
}

/** For `--junit`: fails for connections this job needs, warns for those only some jobs need. */
function checksOf({ connections }: EgressReport, { mask }: World): readonly Check[] {
  const blocked = blockedConnections(connections);
  return connections.map((one) => {
    const named = check(one.id, one.purpose);
    const detail = mask.apply(`${WORDS[one.result]}: ${one.detail}`);
    if (one.result === 'open') return named.pass(detail);
    if (blocked.includes(one)) return named.fail(detail, advice(one));
    return one.result === 'untried' || one.result === 'none' ? named.skipped(detail) : named.warn(detail, advice(one));
  });
}

function advice(one: Connection): string {
  const names = [
    ...(one.sni === undefined ? [] : [`SNI ${one.sni}`]),
    ...(one.alpn.length === 0 ? [] : [`ALPN ${one.alpn.join(', ')}`]),
  ];
  const place = hostPortText(one) || 'this host';
  const allow =
    one.route?.kind === 'proxy'
      ? `Let ${proxyName(one.route.proxy)} allow connections to ${place}`
      : `Allow TCP from the job to ${place}`;
  if (one.isUpgraded || one.isBehindBalancer) return `${allow}.`;
  return `${allow}${names.length === 0 ? '' : ` (${names.join('; ')})`}, and do not terminate TLS in between.`;
}
