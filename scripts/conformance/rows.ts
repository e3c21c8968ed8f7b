/** The rows of the conformance page: what each one shows, and which test files or which command show it. */

/** A program of others that the tests of a row talk to, by the name of its command. */
export type Peer = keyof typeof PEERS;

/** How each prints its version. */
export const PEERS = {
  ssh: ['-V'],
  ansible: ['--version'],
  rsync: ['--version'],
  git: ['--version'],
  psql: ['--version'],
  mariadbd: ['--version'],
  'redis-server': ['--version'],
  kubectl: ['version', '--client'],
  nginx: ['-v'],
  haproxy: ['-v'],
  squid: ['-v'],
  tinyproxy: ['-v'],
  danted: ['-v'],
  curl: ['--version'],
  openssl: ['version'],
  chromium: ['--version'],
  socat: ['-V'],
  connectconformance: ['--version'],
} as const satisfies Readonly<Record<string, readonly string[]>>;

interface Named {
  readonly id: string;
  /** What is shown if the row passes. */
  readonly shows: string;
  readonly peers?: readonly Peer[];
}

export interface TestRow extends Named {
  readonly kind: 'tests';
  /** Paths of test files; `*` stands for any part of a file's name. */
  readonly files: readonly string[];
}

export interface ChaosRow extends Named {
  readonly kind: 'chaos';
  readonly seed: number;
  readonly count: number;
  readonly parallel: number;
}

export interface BenchRow extends Named {
  readonly kind: 'bench';
  /** Empty for the benchmarks that run without a name. */
  readonly bench: string;
}

export type Row = TestRow | ChaosRow | BenchRow;

const e2e = (...names: readonly string[]) => names.map((name) => `test/e2e/${name}.test.ts`);

export const ROWS: readonly Row[] = [
  {
    id: 'ssh',
    kind: 'tests',
    shows: 'OpenSSH, Ansible, rsync and git reach a real sshd through the Proxy; sshd accepts host certificates',
    files: e2e('ssh-*', 'sshd'),
    peers: ['ssh', 'ansible', 'rsync', 'git'],
  },
  {
    id: 'databases',
    kind: 'tests',
    shows: 'psql, mariadb and redis-cli with real servers, with their own TLS and through tunnels',
    files: e2e('psql', 'database', 'tunnel'),
    peers: ['psql', 'mariadbd', 'redis-server'],
  },
  {
    id: 'kubernetes',
    kind: 'tests',
    shows: 'kubectl and the Kubernetes client library use the kubeconfig and the tunnel',
    files: e2e('kubernetes', 'kubernetes-tunnel'),
    peers: ['kubectl'],
  },
  {
    id: 'workloads',
    kind: 'tests',
    shows: 'curl, nginx, OpenSSL and the AWS SDK use certificates of applications and workloads',
    files: e2e('application', 'application-proxy', 'aws-*', 'consumers', 'nginx-svid', 'spiffe-svid', 'workload-*'),
    peers: ['curl', 'nginx', 'openssl'],
  },
  {
    id: 'jobs',
    kind: 'tests',
    shows: 'Every example of the orb and every config in a document runs as a job',
    files: e2e('documented-jobs', 'environments', 'examples', 'networks-page', 'only-main-deploys', 'how-it-works'),
  },
  {
    id: 'versions',
    kind: 'tests',
    shows: 'Each output on each supported version of Teleport, and on versions that do not exist yet',
    files: e2e('generic-oidc', 'newer-versions', 'outputs', 'pairwise', 'profiles', 'tbot-*', 'version-outputs'),
  },
  {
    id: 'fronts',
    kind: 'tests',
    shows: 'Clusters on one port or several, behind load balancers and firewalls, and an Auth Service without a Proxy',
    files: e2e('auth-*', 'cluster-names', 'fronts', 'load-balancer', 'topologies-none', 'several-authorities'),
    peers: ['haproxy', 'nginx'],
  },
  {
    id: 'proxies',
    kind: 'tests',
    shows: 'HTTP, HTTPS and SOCKS proxies with and without a login; nothing goes around them',
    files: e2e('egress*', 'isolated-network', 'proxy-variables', 'topologies-http*', 'topologies-socks*'),
    peers: ['squid', 'tinyproxy', 'danted'],
  },
  {
    id: 'network-failures',
    kind: 'chaos',
    shows: 'Connections that are slow, reset, cut, stalled or spoiled in each phase of a run keep the promise',
    seed: 1,
    count: 10_000,
    parallel: 48,
  },
  {
    id: 'process-failures',
    kind: 'tests',
    shows: 'Killed and interrupted runs, full and read-only disks, deadlines, busy clusters, lost Proxies and tokens',
    files: e2e(
      ...['admission', 'dead-addresses', 'deadline', 'destination', 'interrupt', 'killed*', 'odd-*', 'places'],
      ...['refresh', 'retries', 'tunnel-*'],
    ),
  },
  {
    id: 'hostile',
    kind: 'tests',
    shows: 'Servers that lie, flood, stall or send wrong certificates, and names that attack files and logs',
    files: [
      ...e2e('broken-*', 'certificate-refusals', 'hostile-*', 'join-refusals', 'many-*', 'reset-behind-ping'),
      ...e2e('scopes', 'silent-servers', 'stream-limit', 'web-trust', 'wrong-input'),
      ...['connections/hostile-*', 'crypto/*-hostile'].map((name) => `test/${name}.test.ts`),
    ],
  },
  {
    id: 'fuzz',
    kind: 'tests',
    shows: 'Random and damaged configuration, certificates, responses and archives end with an error code',
    files: ['test/fuzz/*.test.ts'],
  },
  {
    id: 'grpc',
    kind: 'tests',
    shows: 'The gRPC client passes the gRPC cases of connectrpc/conformance',
    files: ['test/conformance/grpc.test.ts'],
    peers: ['connectconformance'],
  },
  {
    id: 'protobuf',
    kind: 'tests',
    shows: "The message codec passes Google's protobuf-conformance for the types that it has",
    files: ['test/conformance/protobuf.test.ts'],
  },
  {
    id: 'ratios',
    kind: 'bench',
    shows: 'CPU time, wall time and memory beside the least that Node.js and Teleport allow',
    bench: 'ratios',
  },
  {
    id: 'round-trips',
    kind: 'bench',
    shows: 'Round trips that follow one another, by topology',
    bench: 'round-trips',
  },
  {
    id: 'costs',
    kind: 'bench',
    shows: 'Seconds, memory and throughput of runs, SSH sessions and tunnels',
    bench: '',
  },
  {
    id: 'storm',
    kind: 'bench',
    shows: '1,000 real runs and 10,000 simulated jobs that begin at once, against a cluster with limits and outages',
    bench: 'storm',
  },
  {
    id: 'practice',
    kind: 'bench',
    shows: "Seconds and bytes until credentials are there, beside those of the guide's path with Teleport's archive",
    bench: 'practice',
  },
];

/** Folders of which each test file belongs to one row, or is listed below. */
export const FOLDERS = ['test/e2e', 'test/fuzz', 'test/conformance'];

/** These test commands, messages and the tools of the tests: `npm test` runs them, and no row does. */
export const IN_NO_ROW: readonly string[] = e2e(
  ...[
    'cleanup',
    'command-line',
    'config-file',
    'debug',
    'doctor*',
    'exec',
    'explain-token',
    'exports',
    'floor-program',
  ],
  ...['guards', 'heartbeat', 'init', 'install-tools*', 'lazy-commands', 'node-options', 'oidc-token', 'report*'],
  ...['telemetry', 'unexpanded-paths', 'user-agent', 'wire'],
);

/** @param pattern a path, in which `*` stands for any part of a file's name */
export function matches(pattern: string, path: string): boolean {
  const parts = pattern.split('*').map((part) => part.replaceAll(/[.+]/g, String.raw`\$&`));
  return new RegExp(`^${parts.join('[^/]*')}$`).test(path);
}

/** The command that repeats a row alone. */
export function commandOf(row: Row): string {
  switch (row.kind) {
    case 'tests':
      return `npm run conformance -- --only ${row.id}`;
    case 'chaos':
      return `npm run chaos -- ${chaosFlags(row).join(' ')}`;
    case 'bench':
      return row.bench === '' ? 'npm run bench' : `npm run bench -- ${row.bench}`;
    default:
      return row satisfies never;
  }
}

export function chaosFlags({ count, parallel, seed }: ChaosRow): readonly string[] {
  return ['--seed', String(seed), '--count', String(count), '--parallel', String(parallel)];
}
