/** Every connection of a job, from `install` to its last step: destination, names and purpose. */
import { isIP } from 'node:net';
import type { World } from '../../effects/world.ts';
import { asMachineIdError } from '../../errors.ts';
import { JOIN_ALPN } from '../../join/join-service.ts';
import { FIRST_MAJOR_WITH_JOIN_SERVICE } from '../../join/join.ts';
import { AT_AUTH } from '../../join/legacy.ts';
import { type Address, formatAddress, parseAddress, parseHttpsUrl } from '../../net/address.ts';
import type { ProbeTarget } from '../../net/probe.ts';
import { endpointOf } from '../../outputs/aws-session.ts';
import type { Access } from '../../outputs/result.ts';
import type { Use } from '../../outputs/output-type.ts';
import { needsProxy, type SupportedOutput, useOf } from '../../outputs/outputs.ts';
import { GRPC_ALPN, REST_ALPN } from '../../teleport/auth-ping.ts';
import {
  databaseAlpn,
  databaseListener,
  LISTENER_PROTOCOLS,
  type ListenerProtocol,
} from '../../teleport/database-endpoint.ts';
import { kubeEndpoint } from '../../teleport/kube-endpoint.ts';
import { API_DOMAIN, authAlpn, encodedClusterName } from '../../teleport/names.ts';
import type { ClusterFacts } from '../../teleport/ping.ts';
import { TRANSPORT_ALPN } from '../../teleport/transport.ts';
import { telemetryIsOn, telemetryUrl } from '../telemetry.ts';

/**
 * `always`: the configured job fails without it. `either`: one of the connections with this value is enough; these are
 * the routes to the Auth Service. `sometimes`: only the jobs described in `when` need it.
 */
export type Need = 'always' | 'either' | 'sometimes';

export interface Endpoint {
  /** Stable across versions; outputs append their path, as in `application:outputs[0]`. */
  readonly id: string;
  readonly purpose: string;
  /** Undefined while unknown, or if no connection is made. */
  readonly host: string | undefined;
  readonly port: number | undefined;
  readonly protocol: ProbeTarget['protocol'] | undefined;
  /** Undefined if none is sent. */
  readonly sni: string | undefined;
  readonly alpn: readonly string[];
  /** Whether a server that chooses none of `alpn` is not the expected one. */
  readonly alpnMustBeAnswered: boolean;
  /** Which authorities may sign the certificate: web authorities, the cluster's host authority, and so on. */
  readonly certificate: 'web' | 'host' | 'download' | 'aws' | undefined;
  /** The name the certificate must have; `host` by default. */
  readonly certificateName?: string | undefined;
  readonly neededFor: string;
  readonly when: string;
  readonly need: Need;
  /**
   * What becomes of it at a load balancer that terminates TLS: it passes as it is, it is upgraded, or the certificate of its
   * client, a program that knows no upgrade, does not reach the Proxy.
   */
  readonly atBalancer: 'passes' | 'upgraded' | 'certificate-lost';
  /** Whether there is such a load balancer at its address, and that matters. */
  readonly isBehindBalancer: boolean;
  /** Who connects, if it is not this program. */
  readonly by?: 'teleport' | 'kubectl' | 'database client' | 'other program' | undefined;
  /** Why it cannot be tried; undefined when it can. */
  readonly untried: string | undefined;
}

export interface DirectAuth {
  readonly address: Address;
  /** Undefined without a response. */
  readonly cluster: Pick<ClusterFacts, 'clusterName' | 'serverVersion'> | undefined;
}

export interface DownloadUrls {
  readonly script: string;
  readonly node: string;
  readonly tools: string;
}

export interface EgressFacts {
  /** The address of the Proxy: the given one, or the one that the Auth Service reports. */
  readonly address: Address | undefined;
  /** Set if the Auth Service is reached directly. */
  readonly auth?: DirectAuth | undefined;
  /** Undefined when the configuration cannot be read: every output type is listed then. */
  readonly outputs: readonly SupportedOutput[] | undefined;
  /** With the addresses that the environment replaces. Undefined without a response of the Proxy: TLS routing is assumed then. */
  readonly cluster: ClusterFacts | undefined;
  /** By the path of an output: what the cluster reports about its resource, or why that is unknown. */
  readonly access: ReadonlyMap<string, Access | string>;
  readonly downloads: DownloadUrls;
  readonly environment: World['environment'];
  /** Whether a load balancer at that address terminates TLS. */
  readonly terminatesTls: (address: Address) => boolean;
}

/** In the order in which a job connects. */
export function egressEndpoints(facts: EgressFacts): readonly Endpoint[] {
  return [
    ...downloads(facts.downloads),
    OIDC_TOKEN,
    ...(facts.auth === undefined ? [...joining(facts), ...authRoutes(facts)] : atAuth(facts.auth, facts)),
    ...(facts.outputs ?? [undefined]).flatMap((output) => ofOutput(output, facts)),
    ...telemetry(facts),
  ]
    .filter(isFirst)
    .map((one) => withBalancer(one, facts));
}

/** Inside an upgraded connection, the Proxy presents a certificate of the host authority (protocol reference 1.3). */
function withBalancer(one: Endpoint, { terminatesTls }: EgressFacts): Endpoint {
  const { atBalancer, certificate, host, port } = one;
  if (atBalancer === 'passes' || host === undefined || port === undefined || !terminatesTls({ host, port })) {
    return one;
  }
  return { ...one, isBehindBalancer: true, certificate: atBalancer === 'upgraded' ? 'host' : certificate };
}

/** Outputs of the same type need the same connection. */
function isFirst({ id }: Endpoint, at: number, all: readonly Endpoint[]): boolean {
  return all.findIndex((one) => one.id === id) === at;
}

const PASSES = { atBalancer: 'passes', isBehindBalancer: false } as const;
const UPGRADED = { ...PASSES, atBalancer: 'upgraded' } as const;
const CERTIFICATE_LOST = { ...PASSES, atBalancer: 'certificate-lost' } as const;
const TLS = { ...PASSES, protocol: 'tls', alpnMustBeAnswered: false, untried: undefined } as const;
const HTTP_1 = ['http/1.1'];
/** What curl and kubectl offer; this program offers only `HTTP_1`. */
const HTTP = ['h2', 'http/1.1'];

const OIDC_TOKEN: Endpoint = {
  ...PASSES,
  id: 'oidc-token',
  purpose: "CircleCI's OIDC token",
  host: undefined,
  port: undefined,
  protocol: undefined,
  sni: undefined,
  alpn: [],
  alpnMustBeAnswered: false,
  certificate: undefined,
  neededFor: 'Identifying the job.',
  when: "Every run. CircleCI's agent puts the token into the job's environment; this program opens no connection for it.",
  need: 'always',
  untried: undefined,
};

function to(host: string | undefined, port: number | undefined) {
  return { host, port, sni: host === undefined || isIP(host) !== 0 ? undefined : host };
}

function noAddress({ auth }: EgressFacts): string {
  if (auth === undefined) return 'The address of the Proxy is not configured.';
  return auth.cluster === undefined
    ? 'The address of the Proxy is unknown: there is no response from the Auth Service.'
    : 'The Auth Service reports no public address of a Proxy.';
}

function toProxy(facts: EgressFacts) {
  const { address } = facts;
  return { ...to(address?.host, address?.port), untried: address === undefined ? noAddress(facts) : undefined };
}

function joining(facts: EgressFacts): readonly Endpoint[] {
  const proxy = { ...TLS, ...toProxy(facts), certificate: 'web' } as const;
  const version = facts.cluster?.serverVersion;
  const hasService = version === undefined || version.major >= FIRST_MAJOR_WITH_JOIN_SERVICE;
  const isUpgraded = facts.address !== undefined && facts.terminatesTls(facts.address);
  const byService = hasService && !isUpgraded;
  return [
    {
      ...proxy,
      id: 'web-api',
      purpose: 'Web API of the Proxy',
      alpn: HTTP_1,
      neededFor: 'Discovery of the cluster name, version and addresses (GET /webapi/ping).',
      when: 'Every run.',
      need: 'always',
    },
    {
      ...proxy,
      ...UPGRADED,
      id: 'join-service',
      purpose: 'Join service',
      alpn: JOIN_ALPN,
      alpnMustBeAnswered: true,
      ...(isUpgraded ? { certificateName: API_DOMAIN } : {}),
      neededFor: 'Joining the cluster.',
      when: !hasService
        ? `Teleport 18 and later; this cluster runs ${version.text}.`
        : isUpgraded
          ? 'When the Proxy behind the load balancer has no registration endpoint.'
          : 'Every run, on Teleport 18 and later.',
      need: byService ? 'always' : 'sometimes',
    },
    {
      ...proxy,
      id: 'registration',
      purpose: 'Registration endpoint',
      alpn: HTTP_1,
      neededFor: 'Joining the cluster without the join service (POST /v1/webapi/host/credentials).',
      when: byService
        ? 'When the join service is not available.'
        : hasService
          ? 'Every run through a load balancer that terminates TLS.'
          : 'Every run, before Teleport 18.',
      need: byService ? 'sometimes' : 'always',
    },
  ];
}

/** Protocol reference 1.3 and 4.2: the Proxy routes by the first ALPN value; the SNI is for devices in front of it. */
function authRoutes(facts: EgressFacts): readonly Endpoint[] {
  const { cluster } = facts;
  const proxy = toProxy(facts);
  const name = cluster === undefined ? UNKNOWN_NAME : encodedClusterName(cluster.clusterName);
  const alpn = [cluster === undefined ? `teleport-auth@${name}` : authAlpn(cluster.clusterName), 'h2'];
  const unknown =
    cluster === undefined
      ? 'The name of the cluster is unknown, because there is no response from the Proxy.'
      : undefined;
  // RFC 7301 section 3.1: an ALPN value has at most 255 bytes.
  const tooLong = alpn.some((value) => value.length > 255)
    ? 'The name of the cluster is too long for this route.'
    : undefined;
  const isUpgraded = facts.address !== undefined && facts.terminatesTls(facts.address);
  const sshPort = cluster?.tlsRouting === false ? [throughSshPort(cluster)] : [];
  const route = {
    ...TLS,
    ...proxy,
    ...UPGRADED,
    alpn,
    alpnMustBeAnswered: true,
    certificate: 'host',
    certificateName: API_DOMAIN,
    need: 'either',
    untried: proxy.untried ?? unknown ?? tooLong,
  } as const;
  const first = { ...route, id: 'auth', purpose: 'Auth Service', sni: name, ...OF_AUTH };
  // An upgraded connection has no use for the other name: nothing in between sees it.
  if (isUpgraded) return [{ ...first, need: sshPort.length === 0 ? 'always' : 'either' }, ...sshPort];
  return [
    first,
    {
      ...route,
      id: 'auth-fallback',
      purpose: 'Auth Service (fallback)',
      neededFor: 'The same, if a firewall that filters by SNI blocks the name above.',
      when: 'When the connection in the row above fails. One of them is enough.',
    },
    ...sshPort,
  ];
}

const UNKNOWN_NAME = '<hex of the cluster name>.teleport.cluster.local';

const OF_AUTH = {
  neededFor: 'Certificates, roles and the addresses of resources.',
  when: 'Every run, after the join.',
} as const;

/** Protocol reference 4.4. */
function throughSshPort({ sshAddress }: ClusterFacts): Endpoint {
  return {
    ...TLS,
    ...to(sshAddress.host, sshAddress.port),
    id: 'auth-ssh-port',
    purpose: 'Auth Service (SSH port)',
    alpn: TRANSPORT_ALPN,
    certificate: 'host',
    certificateName: API_DOMAIN,
    neededFor: 'The same, if the web port of the Proxy does not lead to the Auth Service.',
    when: 'When the connections in the rows above fail. One of them is enough.',
    need: 'either',
  };
}

/** Protocol reference 2.6: the Auth Service routes nothing, and tells gRPC from HTTP by ALPN. */
function atAuth({ address, cluster }: DirectAuth, facts: EgressFacts): readonly Endpoint[] {
  const { host, port } = address;
  const direct = { ...TLS, host, port, certificate: 'host', certificateName: API_DOMAIN } as const;
  const grpc = { ...direct, alpn: GRPC_ALPN, alpnMustBeAnswered: true } as const;
  const after = {
    ...grpc,
    sni: cluster === undefined ? UNKNOWN_NAME : encodedClusterName(cluster.clusterName),
    untried:
      cluster === undefined
        ? 'The name of the cluster is unknown: there is no response from the Auth Service.'
        : undefined,
  };
  return [
    {
      ...grpc,
      id: 'auth-join',
      purpose: 'Auth Service (join)',
      sni: API_DOMAIN,
      neededFor: 'The authorities of the cluster, its name and version, and joining it.',
      when: 'Every run.',
      need: 'always',
    },
    ...registrationAtAuth(direct, cluster?.serverVersion),
    { ...after, id: 'auth', purpose: 'Auth Service', need: 'always', ...OF_AUTH },
    ...reportedProxy(facts),
    {
      ...after,
      id: 'auth-programs',
      purpose: "Auth Service (Teleport's programs)",
      neededFor: "Teleport's own programs with the identity file: tctl, the Terraform provider, tbot.",
      when: 'Steps that call one of them.',
      need: 'sometimes',
      by: 'teleport',
    },
  ];
}

function registrationAtAuth(
  direct: Pick<Endpoint, 'host' | 'port' | 'certificate' | 'certificateName'> & typeof TLS,
  version: ClusterFacts['serverVersion'] | undefined,
): readonly Endpoint[] {
  if (version !== undefined && version.major >= AT_AUTH.noEndpointSince) return [];
  const isOnlyWay = version !== undefined && version.major < AT_AUTH.grpcSince;
  return [
    {
      ...direct,
      id: 'registration',
      purpose: 'Auth Service (registration)',
      sni: API_DOMAIN,
      alpn: REST_ALPN,
      neededFor: 'Joining the cluster (POST /v2/tokens/register).',
      when: isOnlyWay
        ? 'Every run, before Teleport 17.'
        : 'When the cluster has no other way to join, before Teleport 18.',
      need: isOnlyWay ? 'always' : 'sometimes',
    },
  ];
}

/** Only if files name its addresses. */
function reportedProxy(facts: EgressFacts): readonly Endpoint[] {
  const { outputs } = facts;
  if (outputs !== undefined && !needsProxy(outputs)) return [];
  return [
    {
      ...TLS,
      ...toProxy(facts),
      id: 'web-api',
      purpose: 'Web API of the Proxy',
      alpn: HTTP_1,
      certificate: 'web',
      neededFor: 'The addresses of the Proxy that the files name (GET /webapi/ping).',
      when: 'Runs with an identity output that has an ssh_config, or with a kubernetes output.',
      need: outputs === undefined ? 'sometimes' : 'always',
    },
  ];
}

/** @param output undefined when the configured outputs are unknown */
function ofOutput(output: SupportedOutput | undefined, facts: EgressFacts): readonly Endpoint[] {
  if (output === undefined) {
    return [
      ...ssh(facts, 'sometimes'),
      kubernetes(facts, 'sometimes'),
      ...database(undefined, facts),
      application(undefined, facts),
    ];
  }
  const use = useOf(output);
  switch (use?.kind) {
    case undefined:
      return [];
    case 'ssh':
      // After a join at the Auth Service, the Proxy is known only to outputs that name it.
      return facts.auth !== undefined && !use.isConfigured ? [] : ssh(facts, use.isConfigured ? 'always' : 'sometimes');
    case 'kubernetes':
      return [kubernetes(facts, 'always')];
    case 'database':
      return database({ ...use, path: output.path }, facts);
    case 'application':
      return [application({ ...use, path: output.path }, facts)];
    case 'aws':
      return [aws({ ...use, path: output.path }, facts)];
    default:
      return use satisfies never;
  }
}

/** The address of the Proxy that later steps use. */
function advertised(facts: EgressFacts, own: 'webAddress' | 'sshAddress' | 'tunnelAddress') {
  const { address, cluster } = facts;
  const found = cluster?.[own] ?? address;
  return { ...to(found?.host, found?.port), untried: found === undefined ? noAddress(facts) : undefined };
}

function ssh(facts: EgressFacts, need: Need): readonly Endpoint[] {
  const tlsRouting = facts.cluster?.tlsRouting ?? true;
  const tls = { ...TLS, ...(tlsRouting ? UPGRADED : PASSES) };
  const transport: Endpoint = {
    ...tls,
    ...advertised(facts, 'sshAddress'),
    id: 'ssh-transport',
    purpose: tlsRouting ? 'SSH through the Proxy' : 'SSH listener of the Proxy',
    alpn: TRANSPORT_ALPN,
    certificate: 'host',
    certificateName: API_DOMAIN,
    neededFor: 'SSH, scp and Ansible to nodes, with the ssh_config of an identity output.',
    when: 'Steps that connect to nodes.',
    need,
  };
  // Teleport's own programs use the Auth Service where the bot has joined there.
  return facts.auth === undefined ? [transport, reverseTunnel(facts, tlsRouting)] : [transport];
}

function reverseTunnel(facts: EgressFacts, tlsRouting: boolean): Endpoint {
  return {
    ...TLS,
    ...(tlsRouting ? UPGRADED : PASSES),
    ...advertised(facts, 'tunnelAddress'),
    ...(tlsRouting ? {} : { protocol: 'ssh', sni: undefined }),
    id: 'reverse-tunnel',
    purpose: 'Reverse tunnel of the Proxy',
    alpn: tlsRouting ? ['teleport-reversetunnelv2', 'teleport-reversetunnel'] : [],
    certificate: tlsRouting ? 'web' : undefined,
    neededFor: "Teleport's own programs with the identity file: tctl, the Terraform provider, tbot.",
    when: 'Steps that call one of them, and runs with engine: tbot.',
    need: 'sometimes',
    by: 'teleport',
  };
}

function kubernetes(facts: EgressFacts, need: Need): Endpoint {
  const { address, cluster } = facts;
  const webAddress = cluster?.webAddress ?? address;
  const kube = cluster?.kube ?? { publicAddress: undefined, port: undefined };
  const found = webAddress && kubeEndpoint({ tlsRouting: cluster?.tlsRouting ?? true, webAddress, kube });
  const place = to(found?.address.host, found?.address.port);
  const nowhere = webAddress === undefined ? noAddress(facts) : 'The Proxy reports no address for Kubernetes.';
  return {
    ...TLS,
    ...(cluster?.tlsRouting === false ? PASSES : CERTIFICATE_LOST),
    ...place,
    by: 'kubectl',
    id: 'kubernetes',
    purpose: cluster?.tlsRouting === false ? 'Kubernetes listener of the Proxy' : 'Kubernetes through the Proxy',
    sni: found?.serverName ?? place.sni,
    alpn: HTTP,
    certificate: 'host',
    certificateName: found?.serverName,
    neededFor: 'kubectl and Helm, with the kubeconfig.yaml of a kubernetes output.',
    when: 'Steps that access a Kubernetes cluster.',
    need,
    untried: found === undefined ? nowhere : undefined,
  };
}

const AFTER_JOIN = 'which the cluster reports only after a join';

type Of<K extends Use['kind']> = Extract<Use, { readonly kind: K }> & { readonly path: string };

function application(output: Of<'application'> | undefined, facts: EgressFacts): Endpoint {
  const access = output && facts.access.get(output.path);
  const known = typeof access === 'object' && access.kind === 'application' ? access.address : undefined;
  const found =
    known === undefined ? undefined : parseAddress(known, facts.cluster?.webAddress.port ?? facts.address?.port ?? 443);
  const name = output === undefined ? 'Applications' : `Application ${output.appName}`;
  const reason = typeof access === 'string' ? `: ${access}` : '.';
  return {
    ...TLS,
    ...CERTIFICATE_LOST,
    ...to(found?.host, found?.port),
    by: 'other program',
    id: `application${output === undefined ? '' : `:${output.path}`}`,
    purpose: name,
    alpn: HTTP_1,
    certificate: 'web',
    neededFor: 'HTTP requests to the public address of the application, with the certificate of an application output.',
    when: 'Steps that call the application.',
    need: output === undefined ? 'sometimes' : 'always',
    untried:
      found === undefined ? `The host is the public address of the application, ${AFTER_JOIN}${reason}` : undefined,
  };
}

function database(output: Of<'database'> | undefined, facts: EgressFacts): readonly Endpoint[] {
  const access = output && facts.access.get(output.path);
  const protocol = typeof access === 'object' && access.kind === 'database' ? access.protocol : undefined;
  if (output !== undefined && protocol !== undefined) return [ofProtocol(output, protocol, facts)];
  const listeners = LISTENER_PROTOCOLS.flatMap((one) => {
    const listener = facts.cluster?.databases.get(one);
    return listener === undefined ? [] : [atListener(one, listener)];
  });
  if (output === undefined) return listeners;
  const reason = typeof access === 'string' ? `: ${access}` : '.';
  const unknown: Endpoint = {
    ...TLS,
    by: 'database client',
    ...to(undefined, undefined),
    id: `database:${output.path}`,
    purpose: `Database ${output.service}`,
    alpn: [],
    certificate: undefined,
    ...OF_DATABASES,
    need: 'always',
    untried: `Port and ALPN depend on the protocol of the database, ${AFTER_JOIN}${reason}`,
  };
  return [unknown, ...listeners];
}

const OF_DATABASES = {
  neededFor: 'Database clients, with the certificate of a database output.',
  when: 'Steps that access the database.',
} as const;

function ofProtocol({ path, service }: Of<'database'>, protocol: string, facts: EgressFacts): Endpoint {
  const own = { id: `database:${path}`, purpose: `Database ${service} (${protocol})`, need: 'always' } as const;
  const listener = facts.cluster && databaseListener(protocol, facts.cluster.databases);
  if (listener !== undefined) return { ...atListener(listener.protocol, listener.address), ...own };
  return {
    ...TLS,
    ...CERTIFICATE_LOST,
    ...advertised(facts, 'webAddress'),
    ...own,
    by: 'database client',
    alpn: [databaseAlpn(protocol)],
    alpnMustBeAnswered: true,
    certificate: 'web',
    ...OF_DATABASES,
  };
}

/** MongoDB starts with TLS; the other two negotiate it in their own protocol. */
function atListener(protocol: ListenerProtocol, listener: Address): Endpoint {
  const isTls = protocol === 'mongodb';
  const place = to(listener.host, listener.port);
  return {
    ...TLS,
    ...place,
    by: 'database client',
    protocol: isTls ? 'tls' : protocol,
    sni: isTls ? place.sni : undefined,
    id: `database-listener:${protocol}`,
    purpose: `Listener of the Proxy for ${protocol}`,
    alpn: [],
    certificate: isTls ? 'host' : undefined,
    ...OF_DATABASES,
    need: 'sometimes',
  };
}

function aws(output: Of<'aws'>, { environment }: EgressFacts): Endpoint {
  let url: URL | undefined;
  let problem: string | undefined;
  try {
    url = parseHttpsUrl(endpointOf(output, environment).endpoint);
  } catch (error) {
    problem = asMachineIdError(error).message;
  }
  return {
    ...atUrl(url, HTTP_1),
    id: `aws:${url?.host ?? output.path}`,
    purpose: 'AWS IAM Roles Anywhere',
    certificate: 'aws',
    neededFor: 'The session of an AWS role, for the workload-identity-aws-roles-anywhere output.',
    when: 'Every run. Later steps that use AWS make further connections.',
    need: 'always',
    untried: url === undefined ? (problem ?? 'The address cannot be read.') : undefined,
  };
}

function telemetry({ environment }: EgressFacts): readonly Endpoint[] {
  if (!telemetryIsOn(environment)) return [];
  const url = telemetryUrl(environment);
  return [
    {
      ...atUrl(url, HTTP_1),
      id: 'telemetry',
      purpose: 'Anonymous telemetry',
      certificate: 'download',
      neededFor: 'One anonymous event, sent to the vendor of Teleport.',
      when: 'Every run, because TELEPORT_ANONYMOUS_TELEMETRY is on. A run succeeds without it.',
      need: 'sometimes',
      untried: url === undefined ? 'TELEPORT_ANONYMOUS_TELEMETRY_ADDRESS is not an http(s) URL.' : undefined,
    },
  ];
}

/** GitHub redirects downloads of release assets from `host` to `assets`. */
const GITHUB = { host: 'github.com', assets: 'https://release-assets.githubusercontent.com' };

function downloads({ node, script, tools }: DownloadUrls): readonly Endpoint[] {
  const rows = [
    ...scriptDownloads(script),
    {
      id: 'node',
      purpose: 'Download of Node.js',
      url: node,
      alpn: HTTP,
      neededFor: 'Running the script if the image has no Node.js 18 or later.',
      when: 'The install command, unless such a Node.js is found or bring_node is false.',
    },
    {
      id: 'tools',
      purpose: "Download of Teleport's programs",
      url: tools,
      alpn: HTTP_1,
      neededFor: 'tsh, tctl, tbot and other programs, and their published SHA-256.',
      when: 'The install_tools command, unless its cache has them.',
    },
  ];
  return rows.map(({ alpn, url, ...row }) => {
    const parsed = parseHttpsUrl(url);
    const untried = parsed === undefined ? 'The configured URL is not an https:// URL.' : undefined;
    return { ...atUrl(parsed, alpn), ...row, certificate: 'download', need: 'sometimes', untried };
  });
}

function scriptDownloads(url: string) {
  const script = {
    id: 'script',
    purpose: 'Download of the script',
    url,
    alpn: HTTP,
    neededFor: 'machine-id.cjs, whose SHA-256 is pinned in the orb.',
    when: 'The install command, unless the script is already installed or delivery or bundle_path name another source.',
  };
  if (parseHttpsUrl(url)?.hostname !== GITHUB.host) return [script];
  const assets = { ...script, id: 'script-asset', purpose: 'Download of the script (redirect)', url: GITHUB.assets };
  return [script, { ...assets, neededFor: 'The same: GitHub redirects downloads of release assets there.' }];
}

function atUrl(url: URL | undefined, alpn: readonly string[]) {
  const host = url?.hostname.replace(/^\[|\]$/g, '');
  const isTls = url?.protocol !== 'http:';
  const port = url === undefined || url.port === '' ? (isTls ? 443 : 80) : Number(url.port);
  const place = to(host, host === undefined ? undefined : port);
  return isTls ? { ...TLS, ...place, alpn } : { ...TLS, ...place, protocol: 'tcp' as const, sni: undefined, alpn: [] };
}

/** `host:port`; empty if unknown. */
export function hostPortText({ host, port }: Pick<Endpoint, 'host' | 'port'>): string {
  return host === undefined || port === undefined ? '' : formatAddress({ host, port });
}
