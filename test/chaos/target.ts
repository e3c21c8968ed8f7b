/** Which connections and requests a phase consists of, as the relay and the cluster see them. */
import type { ReplyFault } from '../cluster/faults.ts';
import type { RequestKind } from '../cluster/records.ts';
import { REPLY_FAULTS, type Way, WIRE_FAULTS } from './fault.ts';
import type { Case, Phase, Place, Version } from './plan.ts';
import type { Choose, Passage } from './relay.ts';
import { TUNNELS } from './tunnel.ts';

/** By the ClientHello: `web` offers no ALPN protocol. Behind a load balancer, Auth and SSH are inside one of those too. */
type Purpose = 'web' | 'join' | 'auth' | 'other';

interface Target {
  readonly purpose: Purpose | 'any';
  /** How many connections of that purpose are for something else before. */
  readonly skip: number;
  /** Bytes of something else at the beginning of the connection. */
  readonly before: Readonly<Record<Way, number>>;
  /** How many bytes then belong to the phase, roughly. */
  readonly bytes: Readonly<Record<Way, number>>;
}

const FROM_ITS_START = { up: 0, down: 0 };
/** Discovery and the registration endpoint share a connection: handshake, request and response of the first. */
const AFTER_DISCOVERY = { up: 600, down: 3150 };
/** The identity is requested on the first connection to Auth; other outputs open another one. */
const AFTER_AUTHORITIES = { up: 2200, down: 10_500 };

/** How many bytes the phase has, roughly. */
export function bytesOf(phase: Phase, place: Place): Readonly<Record<Way, number>> {
  return targetOf(phase, place).bytes;
}

/** Chooses nothing if the case is not about connections. */
export function chooserFor(one: Case): Choose {
  const kind = WIRE_FAULTS.find((name) => name === one.fault);
  if (kind === undefined) return () => undefined;
  const { before, purpose, skip } = targetOf(one.phase, one);
  let seen = 0;
  return (passage) => {
    if (purpose !== 'any' && purposeOf(passage) !== purpose) return undefined;
    seen += 1;
    if (seen <= skip || (one.times === 'once' && seen > skip + 1)) return undefined;
    return { kind, way: one.way, afterBytes: before[one.way] + one.after, seed: one.seed };
  };
}

function purposeOf({ hello: { alpn } }: Passage): Purpose {
  if (alpn.length === 0) return 'web';
  if (alpn.includes('teleport-proxy-grpc')) return 'join';
  return alpn.some((value) => value.startsWith('teleport-auth@')) ? 'auth' : 'other';
}

function targetOf(phase: Phase, place: Place): Target {
  const isBalanced = isBalancer(place);
  const purpose = isBalanced ? 'web' : 'auth';
  // The firewall drops the first attempt at Auth, whose server name it does not know.
  const skip = isBalanced || place.front === 'sni-firewall' ? 1 : 0;
  const ofRun: Partial<Record<Phase, Target>> = {
    discovery: { purpose: 'web', skip: 0, before: FROM_ITS_START, bytes: { up: 650, down: 3200 } },
    join: joinsByService(place)
      ? { purpose: 'join', skip: 0, before: FROM_ITS_START, bytes: { up: 2600, down: 4800 } }
      : { purpose: 'web', skip: 0, before: AFTER_DISCOVERY, bytes: { up: 2500, down: 5700 } },
    auth: { purpose, skip, before: FROM_ITS_START, bytes: { up: 2900, down: 14_000 } },
    identity: { purpose, skip, before: AFTER_AUTHORITIES, bytes: { up: 700, down: 4200 } },
    'ssh-transport': { purpose: 'any', skip: 0, before: FROM_ITS_START, bytes: { up: 8000, down: 35_000 } },
    ...Object.fromEntries(TUNNELS.map((name) => [name, OF_TUNNEL])),
    'kubernetes-tunnel': { ...OF_TUNNEL, bytes: { up: 3400, down: 4500 } },
  };
  return ofRun[phase] ?? { purpose, skip: skip + 1, before: FROM_ITS_START, bytes: { up: 2200, down: 5000 } };
}

/** Of the connections that clients open once the tunnel is ready. */
const OF_TUNNEL: Target = { purpose: 'any', skip: 0, before: FROM_ITS_START, bytes: { up: 9000, down: 34_000 } };

export function isBalancer({ front }: Pick<Place, 'front'>): boolean {
  return front === 'l7' || front === 'l7-h2';
}

const WITH_CIRCLECI: readonly Version[] = ['18.6.0', '19.0.0'];

function joinsByService(place: Place): boolean {
  return WITH_CIRCLECI.includes(place.version) && !isBalancer(place);
}

const TRUST = 'rpc:/teleport.trust.v1.TrustService';
const WORKLOAD = 'rpc:/teleport.workloadidentity.v1.WorkloadIdentityIssuanceService';

/** Of the phases that do not end with GenerateUserCerts. */
const REQUESTS: Partial<Record<Phase, RequestKind>> = {
  discovery: 'ping',
  auth: `${TRUST}/GetCertAuthorities`,
  ssh_host: `${TRUST}/GenerateHostCert`,
  'spiffe-svid': 'rpc:/teleport.machineid.v1.WorkloadIdentityService/SignX509SVIDs',
  'workload-identity-x509': `${WORKLOAD}/IssueWorkloadIdentity`,
  'workload-identity-jwt': `${WORKLOAD}/IssueWorkloadIdentity`,
  'ssh-transport': 'proxy-ssh',
};

/** The request of the phase that is refused. */
export function requestOf({ phase, ...place }: Case): RequestKind {
  if (phase === 'join') return joinsByService(place) ? 'join-service' : 'legacy-join';
  return REQUESTS[phase] ?? 'rpc:/proto.AuthService/GenerateUserCerts';
}

const REPLIES: Readonly<Record<(typeof REPLY_FAULTS)[number], ReplyFault>> = {
  'http-429': 'limited',
  'http-503': 'unavailable',
};

/** @returns undefined if the case is not about requests */
export function replyOf({ fault }: Case): ReplyFault | undefined {
  const name = REPLY_FAULTS.find((one) => one === fault);
  return name === undefined ? undefined : REPLIES[name];
}
