/** Checks the network path to the Proxy: host name, port, certificate, HTTP proxy and load balancer. */
import { withDeadline } from '../../effects/time.ts';
import type { World } from '../../effects/world.ts';
import type { MachineIdError } from '../../errors.ts';
import { type Address, formatAddress } from '../../net/address.ts';
import { proxyFailure } from '../../net/failures.ts';
import type { Network } from '../../net/network.ts';
import { type ChainLink, probeTcp, probeTls, resolveHost, type TlsFacts } from '../../net/probe.ts';
import { unusedProxy } from '../../net/egress-cause.ts';
import { type EgressProxy, type EgressRoute, proxyName } from '../../net/egress-proxy.ts';
import type { WebTrust } from '../../net/trust.ts';
import type { Upgrades } from '../../teleport/connection-upgrade.ts';
import { type Check, check } from './check.ts';

interface ProxyTarget {
  readonly address: Address;
  readonly network: Network;
  readonly upgrades: Upgrades;
  readonly trust: WebTrust;
  readonly timeoutMs: number;
}

export interface NetworkFindings {
  readonly checks: readonly Check[];
  /** Why the Proxy cannot be contacted; undefined when it can. */
  readonly obstacle: string | undefined;
}

const WEB_PROTOCOL = 'http/1.1';

export async function networkChecks(target: ProxyTarget, world: World): Promise<NetworkFindings> {
  const proxy = httpProxyCheck(target.network.route(target.address, 'cluster'), target.address);
  const server = { ...target, server: 'Proxy', failure: proxyFailure } as const;
  const [name, port, handshake, balancer] = await Promise.all([
    nameCheck(server, world),
    portCheck(server, world),
    handshakeOf(target, world),
    balancerCheck(target, world),
  ]);
  if (port.state === 'fail') {
    const obstacle = 'the port of the Proxy cannot be reached';
    const [tls, untested] = [check('tls', 'Web certificate'), check('load-balancer', 'Load balancer')];
    return { obstacle, checks: [name, port, tls.skipped(obstacle), proxy, untested.skipped(obstacle)] };
  }
  const tls = certificateCheck(handshake, target, world);
  const obstacle = tls.state === 'fail' ? 'there is no trusted TLS connection to the Proxy' : undefined;
  return { obstacle, checks: [name, port, tls, proxy, balancer] };
}

/** The checks that are skipped when the address of the Proxy is unknown. */
export function withoutAddress(): NetworkFindings {
  return skippedChecks('no address is known');
}

function skippedChecks(obstacle: string): NetworkFindings {
  const names = [
    ['dns', 'Proxy host name'],
    ['tcp', 'Proxy port'],
    ['tls', 'Web certificate'],
    ['http-proxy', 'HTTP proxy'],
    ['load-balancer', 'Load balancer'],
  ] as const;
  return { obstacle, checks: names.map(([id, title]) => check(id, title).skipped(obstacle)) };
}

/** The server whose name and port are checked. */
interface Server extends Pick<ProxyTarget, 'address' | 'network' | 'timeoutMs'> {
  readonly server: 'Proxy' | 'Auth Service';
  readonly failure: (address: Address, cause: unknown) => MachineIdError;
}

export async function nameCheck(
  { address, failure, network, server, timeoutMs }: Server,
  world: World,
): Promise<Check> {
  const one = check('dns', `${server} host name`);
  const route = network.route(address, 'cluster');
  if (route.kind === 'proxy') return one.skipped(`${proxyName(route.proxy)} resolves it`);
  try {
    const found = await withDeadline(
      { waitingFor: `the name ${address.host}`, unreached: address, timeoutMs, signal: world.signal },
      () => resolveHost(address.host),
    );
    return one.pass(`${address.host}: ${found.join(', ')}`);
  } catch (error) {
    return one.networkFailed(failure(address, error), world);
  }
}

export async function portCheck(
  { address, failure, network, server, timeoutMs }: Server,
  world: World,
): Promise<Check> {
  const { clock, signal } = world;
  const one = check('tcp', `${server} port`);
  const startMs = clock.elapsedMs();
  try {
    const waitingFor = `the port of ${formatAddress(address)}`;
    const reached = await withDeadline({ waitingFor, unreached: address, timeoutMs, signal }, (until) =>
      probeTcp(address, { network, signal: until }),
    );
    const route = network.route(address, 'cluster');
    const how =
      route.kind === 'proxy'
        ? `connected to ${formatAddress(address)} through ${proxyName(route.proxy)}`
        : `connected to ${reached} port ${address.port}`;
    return one.pass(`${how} in ${Math.round(clock.elapsedMs() - startMs)} ms`);
  } catch (error) {
    return one.networkFailed(failure(address, error), world);
  }
}

/** Returns an error instead of throwing it: a rejected handshake is a finding. */
async function handshakeOf(
  { address, network, timeoutMs, trust }: ProxyTarget,
  { signal }: World,
): Promise<TlsFacts | Error> {
  try {
    const waitingFor = `the TLS handshake with ${formatAddress(address)}`;
    return await withDeadline({ waitingFor, unreached: address, timeoutMs, signal }, (until) =>
      probeTls(address, { alpn: WEB_PROTOCOL, network, signal: until, trust }),
    );
  } catch (error) {
    return error instanceof Error ? error : new Error(String(error));
  }
}

function certificateCheck(handshake: TlsFacts | Error, { address, trust }: ProxyTarget, world: World): Check {
  const one = check('tls', 'Web certificate');
  if (handshake instanceof Error) return one.networkFailed(proxyFailure(address, handshake), world);
  const { chain, cipher, verifyError, protocol } = handshake;
  const [leaf] = chain;
  const detail = `${signers(chain).join(', signed by ')}; ${protocol}, ${cipher}`;
  if (verifyError === undefined) return one.pass(`${detail}; valid until ${leaf?.notAfter ?? 'an unknown time'}`);
  const finding = `${detail}: ${verifyError}`;
  if (!trust.verify)
    return one.warn(finding, 'Remove insecure: without verification, anyone on the network path can read everything.');
  const lines = [finding, ...(trust.weakness === undefined ? [] : [trust.weakness])];
  return one.fail(lines, certificateFix(verifyError, leaf, chain.at(-1), address));
}

/** The subjects from the leaf up to the last issuer, even if the server did not send that issuer's certificate. */
function signers(chain: readonly ChainLink[]): readonly string[] {
  const names = chain.map(({ subject }) => subject);
  const top = chain.at(-1);
  return top === undefined || top.issuer === top.subject ? names : [...names, top.issuer];
}

function certificateFix(
  problem: string,
  leaf: ChainLink | undefined,
  top: ChainLink | undefined,
  { host }: Address,
): string {
  if (problem === 'ERR_TLS_CERT_ALTNAME_INVALID')
    return `Use a name of the certificate (${leaf?.names ?? 'none'}) as the address, or get a certificate for ${host}.`;
  if (problem === 'CERT_HAS_EXPIRED')
    return `Renew the certificate: it expired at ${leaf?.notAfter ?? 'an unknown time'}.`;
  if (problem === 'CERT_NOT_YET_VALID')
    return 'Compare the clock of this machine with the clock of the certificate issuer.';
  return `Save the certificate of the authority "${top?.issuer ?? 'unknown'}", which this machine does not trust, as a PEM file and pass its path with --ca-file (orb parameter ca_file), SSL_CERT_FILE or NODE_EXTRA_CA_CERTS.`;
}

/** The test of a run, and the upgrade that it leads to. */
async function balancerCheck({ address, timeoutMs, upgrades }: ProxyTarget, world: World): Promise<Check> {
  const one = check('load-balancer', 'Load balancer');
  const place = formatAddress(address);
  const options = { waitingFor: `the connection upgrade at ${place}`, timeoutMs, signal: world.signal };
  try {
    await withDeadline(options, (signal) => upgrades.needed(address, signal));
    const found = upgrades.finding(address);
    if (found === undefined) return one.skipped('not tested');
    const { by, isNeeded, seen } = found;
    if (!isNeeded) {
      if (by === 'failed') return one.skipped(`the test failed: ${seen}`);
      return one.pass(by === 'variable' ? `not tested: ${seen}` : `none that terminates TLS: ${seen}`);
    }
    const opened = await withDeadline(options, (signal) => upgrades.open(address, { signal }));
    opened.destroy();
    const why = by === 'variable' ? seen : `one in front of the Proxy terminates TLS (${seen})`;
    return one.pass(`${why}: connections are upgraded to pass it, which works`);
  } catch (error) {
    return one.networkFailed(proxyFailure(address, error), world);
  }
}

export const NO_PROXY_SET = 'none is set';

export function httpProxyCheck(route: EgressRoute, address: Address): Check {
  const one = check('http-proxy', 'HTTP proxy');
  if (route.kind === 'proxy') return usedProxyCheck(route.proxy, address);
  const unused = unusedProxy(route, address);
  if (unused !== undefined) return one.pass(unused);
  if (route.because === undefined) return one.pass(NO_PROXY_SET);
  return one.pass(`${route.because.proxyVariable} is set, but never used for ${address.host}`);
}

function usedProxyCheck(proxy: EgressProxy, { host }: Address): Check {
  const one = check('http-proxy', 'HTTP proxy');
  const login = proxy.login === undefined ? '' : ', with user and password';
  const detail = `connections to ${host} go through ${proxyName(proxy)}${login}`;
  if (!/^all_proxy$/i.test(proxy.variable)) return one.pass(detail);
  return one.warn(
    `${detail}; Teleport's own programs do not read ${proxy.variable}`,
    'Set HTTPS_PROXY to the same address if later steps call tsh, tctl or tbot.',
  );
}

/** For a variable that names no usable proxy: nothing is contacted. */
export function withInvalidProxy(error: MachineIdError): NetworkFindings {
  const obstacle = 'the address of the proxy is invalid';
  const { checks } = skippedChecks(obstacle);
  const failed = check('http-proxy', 'HTTP proxy').failed(error);
  return { obstacle, checks: checks.map((one) => (one.id === failed.id ? failed : one)) };
}
