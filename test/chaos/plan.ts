/** From a seed and a number to a case: what runs, where, and what goes wrong. */
import { z } from 'zod';
import { FAULTS, type FaultName, WAYS, WIRE_FAULTS } from './fault.ts';
import { bytesOf } from './target.ts';
import { randomBy, shuffled } from './random.ts';
import { isTunnel, TUNNELS } from './tunnel.ts';

/** What the connections that are spoiled are for. */
export const PHASES = [
  'discovery',
  'join',
  'auth',
  'identity',
  'ssh_host',
  'kubernetes',
  'kubernetes/v2',
  'database',
  'application',
  'spiffe-svid',
  'workload-identity-x509',
  'workload-identity-jwt',
  'ssh-transport',
  ...TUNNELS,
] as const;
export type Phase = (typeof PHASES)[number];

/** See test/cluster/README.md. */
export const FRONTS = ['plain', 'cloud', 'sni-firewall', 'l7', 'l7-h2', 'separate'] as const;
export type Front = (typeof FRONTS)[number];

/** 18.2.4 has a join service that does not know CircleCI. */
export const VERSIONS = ['15.3.7', '16.4.0', '17.4.2', '18.2.4', '18.6.0', '19.0.0'] as const;
export type Version = (typeof VERSIONS)[number];

const YesOrNo = z.enum(['yes', 'no']);

const CaseShape = z.strictObject({
  phase: z.enum(PHASES),
  fault: z.enum(FAULTS),
  front: z.enum(FRONTS),
  version: z.enum(VERSIONS),
  way: z.enum(WAYS),
  /** Byte N of the fault, counted from where the phase begins on its connection. */
  after: z.coerce.number().int().nonnegative(),
  /** Whether a second connection for the same purpose is spoiled too. */
  times: z.enum(['once', 'always']),
  /** Whether files of an earlier run are there. */
  old: YesOrNo,
  /** Whether it runs as a process, or inside this one. */
  process: YesOrNo,
  seed: z.coerce.number().int().nonnegative(),
});
export type Case = z.infer<typeof CaseShape>;

export interface Place {
  readonly front: Front;
  readonly version: Version;
}

export const PLACES: readonly Place[] = FRONTS.flatMap((front) => VERSIONS.map((version) => ({ front, version })));

interface Pair {
  readonly phase: Phase;
  readonly fault: FaultName;
}

/** A tunnel makes no requests of its own that could be refused. */
export const PAIRS: readonly Pair[] = PHASES.flatMap((phase) =>
  (isTunnel(phase) ? WIRE_FAULTS : FAULTS).map((fault) => ({ phase, fault })),
);

/** The major versions of Teleport that can do what the phase is about; all, if it is not here. */
const MAJORS: Partial<Record<Phase, { readonly first?: number; readonly last?: number }>> = {
  'kubernetes/v2': { first: 17 },
  'spiffe-svid': { last: 17 },
  'workload-identity-jwt': { first: 17 },
  'workload-identity-x509': { first: 17 },
};

/** Devices that route by the server name. For a Proxy at localhost, that of Kubernetes is below teleport.cluster.local. */
const BY_NAME: readonly Front[] = ['cloud', 'sni-firewall'];

/** Tunnels need TLS routing. */
export function isPossible(phase: Phase, { front, version }: Place): boolean {
  if (isTunnel(phase) && front === 'separate') return false;
  if (phase === 'kubernetes-tunnel' && BY_NAME.includes(front)) return false;
  const { first = 0, last = Number.POSITIVE_INFINITY } = MAJORS[phase] ?? {};
  const major = Number(version.split('.')[0]);
  return major >= first && major <= last;
}

/** Of every so many cases, one runs as a process. */
const PROCESS_EVERY = 16;
/** Of a TLS handshake. */
const HANDSHAKE_BYTES = 1500;

/** The same for the same seed, whatever the number of cases: the first cases have every pair of a phase and a fault. */
export class Plan {
  readonly #seed: number;
  readonly #pairs: readonly Pair[];
  readonly #places: readonly Place[];

  constructor(seed: number) {
    this.#seed = seed;
    this.#pairs = shuffled(PAIRS, randomBy(seed));
    this.#places = shuffled(PLACES, randomBy(seed + 1));
  }

  case(index: number): Case {
    const random = randomBy(this.#seed * 1_000_003 + index);
    const pair = this.#pairs[index % this.#pairs.length];
    if (pair === undefined) throw new RangeError(`there is no case ${index}`);
    // Another round begins with another place, so that a pair meets other places.
    const at = index + Math.floor(index / this.#pairs.length) * 7;
    const places = this.#places.map((_, by) => this.#places[(at + by) % this.#places.length]);
    const place = places.find((one) => one !== undefined && isPossible(pair.phase, one));
    if (place === undefined) throw new Error(`${pair.phase} is possible nowhere`);
    const way = random() < 0.35 ? 'up' : 'down';
    return {
      ...pair,
      ...place,
      way,
      after: byteOf(bytesOf(pair.phase, place)[way], random),
      times: random() < 0.5 ? 'once' : 'always',
      old: random() < 0.5 ? 'yes' : 'no',
      process: index % PROCESS_EVERY === PROCESS_EVERY - 1 ? 'yes' : 'no',
      seed: Math.floor(random() * 2 ** 31),
    };
  }
}

/** Often the first byte, or one of a handshake. */
function byteOf(most: number, random: () => number): number {
  const kind = random();
  if (kind < 0.15) return 0;
  return Math.floor(random() * (kind < 0.5 ? Math.min(most, HANDSHAKE_BYTES) : most));
}

/** `phase=join fault=reset ...`, as `--case` takes it. */
export function caseText(one: Case): string {
  return Object.entries(one)
    .map(([name, value]) => `${name}=${value}`)
    .join(' ');
}

const DEFAULTS: Case = {
  phase: 'identity',
  fault: 'reset',
  front: 'plain',
  version: '18.6.0',
  way: 'down',
  after: 0,
  times: 'always',
  old: 'no',
  process: 'no',
  seed: 1,
};

/** What is left out has a simple value. @throws Error if it is not a case */
export function parseCase(text: string): Case {
  const words = text.split(/\s+/).filter((word) => word !== '');
  const given = Object.fromEntries(words.map((word) => [word.split('=')[0] ?? '', word.slice(word.indexOf('=') + 1)]));
  return CaseShape.parse({ ...DEFAULTS, ...given });
}
