/** The cluster's workload identities; their labels decide who can get which. */

export interface WorkloadIdentity {
  readonly name: string;
  /** Changes whenever the resource is written. */
  readonly revision: string;
  readonly labels: Readonly<Record<string, string>>;
  /** Path of the SPIFFE ID. */
  readonly path: string;
  readonly dnsNames: readonly string[];
  readonly maxTtlMs: number;
}

const HOUR_MS = 60 * 60 * 1000;

export const WORKLOAD_IDENTITIES: readonly WorkloadIdentity[] = [
  {
    name: 'ci-svid',
    revision: '0d9f2c1e-7b1a-4e52-8f0a-51d3c2b40001',
    labels: { team: 'ci', env: 'prod' },
    path: '/ci/deploy',
    dnsNames: ['deploy.example.com'],
    maxTtlMs: 24 * HOUR_MS,
  },
  {
    name: 'ci-svid-dev',
    revision: '0d9f2c1e-7b1a-4e52-8f0a-51d3c2b40002',
    labels: { team: 'ci', env: 'dev' },
    path: '/ci/dev',
    dnsNames: [],
    maxTtlMs: HOUR_MS / 6,
  },
  {
    name: 'vault-root',
    revision: '0d9f2c1e-7b1a-4e52-8f0a-51d3c2b40003',
    labels: { team: 'security', env: 'prod' },
    path: '/vault/root',
    dnsNames: [],
    maxTtlMs: HOUR_MS,
  },
];
