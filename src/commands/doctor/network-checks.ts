/** Looks at the way to the Proxy: name, port, certificate, and what lies between. */
import { withDeadline } from '../../effects/time.ts';
import type { Retries } from '../../effects/retry.ts';
import type { World } from '../../effects/world.ts';
import { pluralize } from '../../errors.ts';
import { type Address, formatAddress } from '../../net/address.ts';
import { proxyFailure } from '../../net/failures.ts';
import { describeError } from '../../net/network-error.ts';
import { type ChainLink, probeTcp, probeTls, resolveHost, type TlsFacts } from '../../net/probe.ts';
import { proxySetting, proxyText } from '../../net/proxy-variables.ts';
import type { WebTrust } from '../../net/trust.ts';
import type { WebApi } from '../../net/web.ts';
import { type ClusterFacts, NEWEST_TESTED, OLDEST_TESTED, ping } from '../../teleport/ping.ts';
import { type Check, check } from './check.ts';

interface ProxyTarget {
  readonly address: Address;
  readonly trust: WebTrust;
  readonly timeoutMs: number;
}

export interface NetworkFindings {
  readonly checks: readonly Check[];
  /** Why it is not worth asking the Proxy; undefined when it is. */
  readonly obstacle: string | undefined;
}

const WEB_PROTOCOL = 'http/1.1';
/** What the Proxy's own agents offer; a load balancer that opens TLS does not know it (protocol reference 1.4). */
const TELEPORT_PROTOCOL = 'teleport-reversetunnel';

export async function networkChecks(way: ProxyTarget, world: World): Promise<NetworkFindings> {
  const proxy = httpProxyCheck(world.environment, way.address);
  const [name, port, handshake, alpn] = await Promise.all([
    nameCheck(way, world),
    portCheck(way, world),
    handshakeOf(way, world, WEB_PROTOCOL),
    handshakeOf(way, world, TELEPORT_PROTOCOL),
  ]);
  if (port.state === 'fail') {
    const obstacle = 'the port of the Proxy cannot be reached';
    const [tls, balancer] = [check('tls', 'Web certificate'), check('load-balancer', 'Load balancer')];
    return { obstacle, checks: [name, port, tls.skip(obstacle), proxy, balancer.skip(obstacle)] };
  }
  const tls = certificateCheck(handshake, way, world);
  const obstacle = tls.state === 'fail' ? 'there is no TLS connection to the Proxy that can be trusted' : undefined;
  return { obstacle, checks: [name, port, tls, proxy, balancerCheck(alpn)] };
}

/** What is not looked at when nobody says where the Proxy is. */
export function withoutAddress(): NetworkFindings {
  const names = [
    ['dns', 'Name of the Proxy'],
    ['tcp', 'Port of the Proxy'],
    ['tls', 'Web certificate'],
    ['http-proxy', 'HTTP proxy'],
    ['load-balancer', 'Load balancer'],
  ] as const;
  return {
    obstacle: 'no address is known',
    checks: names.map(([id, title]) => check(id, title).skip('no address is known')),
  };
}

async function nameCheck({ address, timeoutMs }: ProxyTarget, world: World): Promise<Check> {
  const one = check('dns', 'Name of the Proxy');
  try {
    const found = await withDeadline(
      { waitingFor: `the name ${address.host}`, unreached: address, timeoutMs, signal: world.signal },
      () => resolveHost(address.host),
    );
    return one.pass(`${address.host}: ${found.join(', ')}`);
  } catch (error) {
    return one.networkFailed(proxyFailure(address, error), world);
  }
}

async function portCheck({ address, timeoutMs }: ProxyTarget, world: World): Promise<Check> {
  const { clock, signal } = world;
  const one = check('tcp', 'Port of the Proxy');
  const startMs = clock.elapsedMs();
  try {
    const waitingFor = `the port of ${formatAddress(address)}`;
    const reached = await withDeadline({ waitingFor, unreached: address, timeoutMs, signal }, (until) =>
      probeTcp(address, until),
    );
    return one.pass(`${reached} port ${address.port} answers after ${Math.round(clock.elapsedMs() - startMs)} ms`);
  } catch (error) {
    return one.networkFailed(proxyFailure(address, error), world);
  }
}

/** An error is a result here: a refused handshake tells something. */
async function handshakeOf(
  { address, timeoutMs, trust }: ProxyTarget,
  { signal }: World,
  alpn: string,
): Promise<TlsFacts | Error> {
  try {
    const waitingFor = `the TLS handshake with ${formatAddress(address)}`;
    return await withDeadline({ waitingFor, unreached: address, timeoutMs, signal }, (until) =>
      probeTls(address, { alpn, signal: until, trust }),
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
  if (verifyError === undefined) return one.pass(`${detail}; until ${leaf?.notAfter ?? 'an unknown time'}`);
  const told = `${detail}: ${verifyError}`;
  if (!trust.verify)
    return one.warn(told, 'It is not checked, because of insecure: anything in between can read everything.');
  const lines = [told, ...(trust.weakness === undefined ? [] : [trust.weakness])];
  return one.fail(lines, certificateFix(verifyError, leaf, chain.at(-1), address));
}

/** From the leaf up to who is at the end of it, whether that one came along or not. */
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
    return `Use a name that the certificate has (${leaf?.names ?? 'none'}) as the address, or have one made for ${host}.`;
  if (problem === 'CERT_HAS_EXPIRED')
    return `Renew the certificate: it ended at ${leaf?.notAfter ?? 'an unknown time'}.`;
  if (problem === 'CERT_NOT_YET_VALID')
    return 'Compare the clock of this machine with that of the issuer of the certificate.';
  return `The authority "${top?.issuer ?? 'unknown'}" is not known here: put its certificate into a PEM file and name that with --ca-file (orb parameter ca_file), SSL_CERT_FILE or NODE_EXTRA_CA_CERTS.`;
}

function balancerCheck(handshake: TlsFacts | Error): Check {
  const one = check('load-balancer', 'Load balancer');
  const fix =
    'Give an address that reaches the Proxy itself, or let the load balancer pass TLS through (layer 4): the Auth Service is reached by ALPN.';
  if (handshake instanceof Error) {
    const code = 'code' in handshake ? String(handshake.code) : '';
    return code.includes('NO_APPLICATION_PROTOCOL')
      ? one.fail('what answers refuses the ALPN of Teleport: it opens TLS before the Proxy', fix)
      : one.skip(`the handshake failed: ${describeError(handshake)}`);
  }
  const { alpn } = handshake;
  if (alpn === TELEPORT_PROTOCOL) return one.pass('none that opens TLS: the ALPN of Teleport reaches the Proxy');
  return one.fail(`what answers chose ${alpn ?? 'no protocol'}: it opens TLS before the Proxy`, fix);
}

export function httpProxyCheck(environment: World['environment'], address: Address): Check {
  const one = check('http-proxy', 'HTTP proxy');
  const { host } = address;
  const setting = proxySetting(environment, address);
  if (setting === undefined) return one.pass('none is set');
  if (setting.bypassed) return one.pass(`${setting.name} is set, NO_PROXY excepts ${host}`);
  return one.warn(
    `${proxyText(setting)}, and is not used: connections go straight to ${host}`,
    `Let this job reach ${host} directly, and add ${host} to NO_PROXY so that other programs do the same.`,
  );
}

// Looks at what the Proxy says of its cluster, and at the clock.

interface ProxyFindings {
  readonly checks: readonly Check[];
  readonly cluster: ClusterFacts | undefined;
}

/** The header counts whole seconds, and travels. */
const SKEW_MS = 30_000;

interface ProxyCheckOptions {
  readonly web: WebApi;
  readonly retries: Retries;
  /** Why the Proxy is not asked. */
  readonly obstacle: string | undefined;
}

export async function proxyChecks(
  { web, retries, obstacle }: ProxyCheckOptions,
  { clock, environment }: Pick<World, 'clock' | 'environment'>,
): Promise<ProxyFindings> {
  const [proxy, skew, routing] = [
    check('proxy', 'Proxy'),
    check('clock', 'Clock'),
    check('tls-routing', 'TLS routing'),
  ];
  const unknown = (reason: string) => [skew.skip(reason), routing.skip(reason)];
  if (obstacle !== undefined) return { cluster: undefined, checks: [proxy.skip(obstacle), ...unknown(obstacle)] };
  try {
    const { cluster, sentMs } = await retries.run(() => ping(web));
    const checks = [proxyCheck(cluster), clockCheck(clock.nowMs() - sentMs), routingCheck(cluster)];
    return { cluster, checks };
  } catch (error) {
    return {
      cluster: undefined,
      checks: [proxy.networkFailed(error, { environment }), ...unknown('the Proxy did not answer')],
    };
  }
}

function proxyCheck({ clusterName, release, serverVersion, suite }: ClusterFacts): Check {
  const one = check('proxy', 'Proxy');
  const edition = `${release.enterprise ? ', Enterprise' : ''}${release.fips ? ', FIPS' : ''}`;
  const detail = `cluster ${clusterName}, Teleport ${serverVersion.text}${edition}, keys by the suite ${suite}`;
  if (serverVersion.major < OLDEST_TESTED.major) {
    return one.warn(detail, `Versions before ${OLDEST_TESTED.text} have not been tried: update the cluster.`);
  }
  if (!isNewerThanTested(serverVersion)) return one.pass(detail);
  return one.warn(
    `${detail}; newer than tested (${NEWEST_TESTED.text})`,
    'Nothing, if the other checks pass. Otherwise look for a newer version of the orb.',
  );
}

/** Of a pre-release of the newest version, or of a later one, nobody can know what the release will be. */
function isNewerThanTested({ major, text }: ClusterFacts['serverVersion']): boolean {
  return major > NEWEST_TESTED.major || (major === NEWEST_TESTED.major && text.includes('-'));
}

/** @param aheadMs of this machine's clock; NaN when the answer has no time */
function clockCheck(aheadMs: number): Check {
  const one = check('clock', 'Clock');
  if (Number.isNaN(aheadMs)) return one.skip('the Proxy did not say what time it is');
  const seconds = Math.round(Math.abs(aheadMs) / 1000);
  if (Math.abs(aheadMs) < SKEW_MS) return one.pass('agrees with that of the Proxy');
  return one.warn(
    `this machine is ${pluralize(seconds, 'second')} ${aheadMs > 0 ? 'ahead of' : 'behind'} the Proxy`,
    'Set the clocks by NTP: tokens and certificates are refused before and after their time.',
  );
}

function routingCheck({ kube, sshAddress, tlsRouting, webAddress }: ClusterFacts): Check {
  const one = check('tls-routing', 'TLS routing');
  if (tlsRouting) return one.pass(`on: everything goes to ${formatAddress(webAddress)}`);
  const { port, publicAddress } = kube;
  const kubernetes =
    publicAddress === undefined ? (port === undefined ? 'nowhere' : `port ${port}`) : formatAddress(publicAddress);
  return one.pass(`off: SSH at ${formatAddress(sshAddress)}, Kubernetes at ${kubernetes}`);
}
