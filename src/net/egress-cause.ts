/** Adds to a failed connection what the network and the proxy variables of the environment have to do with it. */
import { type HostPort, MachineIdError } from '../errors.ts';
import { egressRoute, type EgressRoute, proxyName } from './egress-proxy.ts';
import { INTERCEPTED, NO_ANSWER, VIA_PROXY } from './failures.ts';
import { causes } from './network-error.ts';

type Environment = Readonly<Record<string, string | undefined>>;

/**
 * Returns the error with that as its first likely cause. An error from a proxy of the network itself stays as it is: it
 * names the proxy.
 */
export function withProxyCause(error: MachineIdError, environment: Environment): MachineIdError {
  const failed = causes(error).filter((one) => one instanceof MachineIdError);
  const place = failed.flatMap(({ unreached }) => unreached ?? [])[0];
  if (place === undefined || failed.some(({ code }) => code.startsWith('EGRESS_PROXY_'))) return error;
  const route = egressRoute(environment, place, place.for ?? 'cluster');
  const first = isIntercepted(error) ? interception(route) : proxyCause(route, place, error);
  const known = isUnexplainedSilence(error, failed, place) && route.kind === 'direct' ? NO_ANSWER : error.likelyCauses;
  if (first === undefined || known.includes(first)) {
    return known === error.likelyCauses ? error : error.withLikelyCauses(known);
  }
  const rest = known.filter((cause) => cause !== VIA_PROXY && cause !== INTERCEPTED);
  return error.withLikelyCauses([first, ...rest]);
}

/** Of a server of the cluster; a place that was reached before is silent for another reason than the network. */
function isUnexplainedSilence(
  { likelyCauses }: MachineIdError,
  failed: readonly MachineIdError[],
  { for: purpose, isReachable }: HostPort,
): boolean {
  const isSilence = failed.some(({ code }) => code === 'TIMEOUT') && likelyCauses.length === 0;
  return isSilence && purpose === undefined && isReachable !== true;
}

function isIntercepted({ likelyCauses }: MachineIdError): boolean {
  return likelyCauses.includes(INTERCEPTED);
}

function interception(route: EgressRoute): string | undefined {
  if (route.kind === 'direct') return undefined;
  return `${proxyName(route.proxy)} intercepts TLS and presents its own certificate: let it pass these connections on unchanged`;
}

function proxyCause(route: EgressRoute, place: HostPort, { code }: MachineIdError): string | undefined {
  if (route.kind === 'proxy') {
    return `the connection goes through ${proxyName(route.proxy)}, which may block or change it`;
  }
  // The Auth Service is reached over the address at which the Proxy has been reached.
  return code.startsWith('AUTH_') || place.isReachable === true ? undefined : unusedProxy(route, place);
}

/** For tables and lists: `direct`, or the proxy; and what in the environment decides that. */
export function routeText(route: EgressRoute): string {
  if (route.kind === 'proxy') return `through ${proxyName(route.proxy)}`;
  if (route.because === undefined) return 'direct';
  const { by, proxyVariable } = route.because;
  if (by === 'loopback') return `direct: ${proxyVariable} is never used for loopback addresses`;
  if (by === 'other-purpose') return `direct: ${proxyVariable} is not used for such connections`;
  return `direct: ${by.list} contains ${JSON.stringify(by.entry)} (${proxyVariable} is set)`;
}

/** Why the proxy of the environment is not used; undefined if there is none, or no other way to the place. */
export function unusedProxy(
  { because }: Extract<EgressRoute, { readonly kind: 'direct' }>,
  { host, port }: HostPort,
): string | undefined {
  if (because === undefined || because.by === 'loopback') return undefined;
  const { by, proxyVariable } = because;
  const unused = `${proxyVariable} is set, but is not used for ${host}:${port}`;
  if (by === 'other-purpose') return `${unused}: set HTTPS_PROXY, which counts for all servers`;
  return `${unused}, because ${by.list} contains ${JSON.stringify(by.entry)}`;
}
