/** `doctor --egress`: which connections a job makes and whether each is open, as a table for a network team. */
import { table } from '../../cli/print.ts';
import { utcTime } from '../../crypto/validity.ts';
import { type Style, styleFor } from '../../effects/terminal.ts';
import { VERSION, type World } from '../../effects/world.ts';
import { MachineIdError, printable, printableJson } from '../../errors.ts';
import { formatAddress } from '../../net/address.ts';
import { DEFAULT_BASE_URL } from '../install-tools/request.ts';
import { type Check, check } from './check.ts';
import { blockedConnections, checkEgress, type Connection, type EgressReport } from './egress-connections.ts';
import { hostPortText } from './egress-endpoints.ts';
import type { EgressResult } from './egress-verdict.ts';
import type { DoctorArguments } from './flags.ts';
import { writeJunit } from './junit.ts';

/** Where a released orb downloads the script from, unless `download_url` says otherwise. */
export const SCRIPT_URL = `https://github.com/teleport-machine-id/orb/releases/download/v${VERSION}/machine-id.cjs`;
/** Where the orb downloads Node.js from, unless `node_mirror` says otherwise. */
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
  const lacking = blockedConnections(egress.connections);
  if (lacking.length > 0) {
    const names = lacking.map(({ purpose }) => purpose).join(', ');
    throw new MachineIdError('DOCTOR_FAILED', `connections that the job needs are not open: ${names}`, {
      hint: 'Give the table to the people who run the firewall: each line has host, port, SNI and ALPN.',
    });
  }
}

const WORDS: Readonly<Record<EgressResult, string>> = {
  open: 'open',
  closed: 'closed',
  dropped: 'dropped',
  other: 'answered by something else',
  unresolved: 'name not found',
  untried: 'not tried',
  none: 'no connection',
};

const RESULT_STYLES: Readonly<Record<EgressResult, keyof Style>> = {
  open: 'good',
  closed: 'bad',
  dropped: 'bad',
  other: 'bad',
  unresolved: 'bad',
  untried: 'doubtful',
  none: 'faint',
};

const NEEDS: Readonly<Record<Connection['need'], string>> = {
  always: 'yes',
  either: 'one of two',
  sometimes: 'in some jobs',
};

const TITLE = 'Network connections of a CircleCI job that joins Teleport';

function egressJson({ address, cluster, connections, notes }: EgressReport, time: string): object {
  return {
    title: TITLE,
    version: VERSION,
    time,
    proxy: address === undefined ? null : formatAddress(address),
    cluster:
      cluster === undefined
        ? null
        : { name: cluster.clusterName, version: cluster.serverVersion.text, tlsRouting: cluster.tlsRouting },
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
      need: one.need,
      neededFor: one.neededFor,
      when: one.when,
      result: one.result,
      detail: printable(one.detail),
    })),
  };
}

function egressText(egress: EgressReport, time: string, style: Style): string {
  const { address, cluster, connections, notes } = egress;
  const head = table([
    ['Proxy', address === undefined ? 'not configured' : formatAddress(address)],
    ['Cluster', cluster === undefined ? 'not known' : describe(cluster)],
    ['Time', time],
    ['Program', `teleport/machine-id ${VERSION}`],
  ]);
  return [
    style.strong(TITLE),
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

function describe({ clusterName, serverVersion, tlsRouting }: NonNullable<EgressReport['cluster']>): string {
  return `${clusterName}, Teleport ${serverVersion.text}, TLS routing ${tlsRouting ? 'on' : 'off'}`;
}

/** The long columns stand last, so that a line that is too wide for the screen still shows what matters first. */
function rows(connections: readonly Connection[], style: Style): readonly string[] {
  const cells = connections.map((one, at) => [
    String(at + 1),
    WORDS[one.result],
    NEEDS[one.need],
    one.purpose,
    hostPortText(one) || '-',
    one.sni ?? '-',
    one.alpn.join(', ') || '-',
  ]);
  const [head = '', ...lines] = table([
    ['#', 'Result', 'Needed', 'Connection', 'Host and port', 'SNI', 'ALPN'],
    ...cells,
  ]);
  return [style.strong(head), ...lines.map((line, at) => painted(line, connections[at]?.result ?? 'none', style))];
}

function painted(line: string, result: EgressResult, style: Style): string {
  return line.replace(WORDS[result], style[RESULT_STYLES[result]](WORDS[result]));
}

function details({ detail, neededFor, purpose, when }: Connection, at: number): readonly string[] {
  return [`${at + 1}. ${purpose}`, `   ${printable(detail)}`, `   For: ${neededFor}`, `   When: ${when}`];
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

const LEGEND = `open: the expected server answers. closed: the connection is refused or ended. dropped: no answer.
answered by something else: another certificate, ALPN or protocol, such as a proxy that ends TLS.
All connections are outgoing TCP. TLS must reach the named host unopened: the job checks its certificate.`;

function summary(connections: readonly Connection[]): string {
  const lacking = blockedConnections(connections);
  if (lacking.length === 0) return 'Every connection that the job needs is open.';
  return `Not open, and needed: ${lacking.map(({ purpose }) => purpose).join(', ')}.`;
}

/** For `--junit`: what is needed and not open fails, what some jobs need warns. */
function checksOf({ connections }: EgressReport, { mask }: World): readonly Check[] {
  const lacking = blockedConnections(connections);
  return connections.map((one) => {
    const named = check(one.id, one.purpose);
    const detail = mask.apply(`${WORDS[one.result]}: ${one.detail}`);
    if (one.result === 'open') return named.pass(detail);
    if (lacking.includes(one)) return named.fail(detail, advice(one));
    return one.result === 'untried' || one.result === 'none' ? named.skip(detail) : named.warn(detail, advice(one));
  });
}

function advice(one: Connection): string {
  const names = [
    ...(one.sni === undefined ? [] : [`SNI ${one.sni}`]),
    ...(one.alpn.length === 0 ? [] : [`ALPN ${one.alpn.join(', ')}`]),
  ];
  return `Let the job reach ${hostPortText(one) || 'this host'} over TCP${names.length === 0 ? '' : ` (${names.join('; ')})`}, without ending TLS on the way.`;
}
