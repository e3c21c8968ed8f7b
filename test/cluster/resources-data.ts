/** What the cluster gives access to: Kubernetes clusters, databases and applications. */

interface Resource {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  /** Roles that let their holder see it; for anybody else it does not exist. */
  readonly roles: readonly string[];
  /** How many agents serve it: each is listed. */
  readonly agents: number;
}

export type KubernetesCluster = Resource;

export interface Database extends Resource {
  readonly protocol: string;
  readonly uri: string;
  /** Users that may be asked for, and databases of the server. */
  readonly users: readonly string[];
  readonly databases: readonly string[];
  /** Where it listens on 127.0.0.1, as a test that starts one says; without one it is offline. */
  port?: number;
}

export interface Application extends Resource {
  readonly uri: string;
  readonly publicAddress: string;
  /** As `port` of a database. */
  port?: number;
}

export interface AccessResources {
  readonly kubernetesClusters: readonly KubernetesCluster[];
  readonly databases: readonly Database[];
  readonly applications: readonly Application[];
}

/** What Teleport's discovery found has a long name of its own; this label holds the short one. */
const DISCOVERED_NAME = 'teleport.internal/discovered-name';

const ACCESS = { roles: ['access'], agents: 1 } as const;
const HIDDEN = { roles: ['admin'], agents: 1 } as const;

const discovered = (name: string): Readonly<Record<string, string>> => ({ env: 'staging', [DISCOVERED_NAME]: name });

/** New objects every time, since tests change where they listen. */
export function accessResources(): AccessResources {
  return {
    kubernetesClusters: kubernetesClusters(),
    databases: DATABASES.map((one) => ({ ...one })),
    applications: APPLICATIONS.map((one) => ({ ...one })),
  };
}

function kubernetesClusters(): readonly KubernetesCluster[] {
  return [
    { name: 'dev', labels: { env: 'dev', region: 'eu' }, roles: ['access', 'deployer'], agents: 2 },
    { name: 'prod', labels: { env: 'prod', region: 'eu' }, ...ACCESS },
    { name: 'staging-eks-eu-central-1-123456789012', labels: discovered('staging'), ...ACCESS },
    { name: 'shared-eks-eu-west-1-123456789012', labels: discovered('shared'), ...ACCESS },
    { name: 'shared-eks-us-east-1-123456789012', labels: discovered('shared'), ...ACCESS },
    { name: 'payroll', labels: { env: 'prod' }, ...HIDDEN },
  ];
}

const POSTGRES = { protocol: 'postgres', uri: 'localhost:5432', users: ['ci'], databases: ['orders'] } as const;
const MYSQL = { protocol: 'mysql', uri: 'localhost:3306', users: ['ci'], databases: ['stock'] } as const;

const REDIS = { protocol: 'redis', uri: 'rediss://localhost:6379', users: ['default'], databases: ['0'] } as const;
const MONGODB = {
  protocol: 'mongodb',
  uri: 'mongodb://localhost:27017',
  users: ['ci'],
  databases: ['events'],
} as const;

const DATABASES: readonly Database[] = [
  { name: 'orders', labels: { env: 'prod' }, ...POSTGRES, roles: ['access'], agents: 2 },
  { name: 'inventory', labels: { env: 'prod' }, ...MYSQL, ...ACCESS },
  { name: 'cache', labels: { env: 'prod' }, ...REDIS, ...ACCESS },
  { name: 'events', labels: { env: 'prod' }, ...MONGODB, ...ACCESS },
  { name: 'reports-rds-eu-central-1-123456789012', labels: discovered('reports'), ...POSTGRES, ...ACCESS },
  { name: 'ledger-rds-eu-west-1-123456789012', labels: discovered('ledger'), ...POSTGRES, ...ACCESS },
  { name: 'ledger-rds-us-east-1-123456789012', labels: discovered('ledger'), ...POSTGRES, ...ACCESS },
  { name: 'salaries', labels: { env: 'prod' }, ...POSTGRES, ...HIDDEN },
];

const APPLICATIONS: readonly Application[] = [
  {
    name: 'dashboard',
    labels: { env: 'prod' },
    uri: 'http://localhost:8080',
    publicAddress: 'dashboard.example.teleport.test',
    roles: ['access'],
    agents: 2,
  },
  {
    name: 'wiki-k8s-tools',
    labels: discovered('wiki'),
    uri: 'http://localhost:8081',
    publicAddress: 'wiki-k8s-tools.example.teleport.test',
    ...ACCESS,
  },
  {
    name: 'backoffice',
    labels: { env: 'prod' },
    uri: 'http://localhost:8082',
    publicAddress: 'backoffice.example.teleport.test',
    ...HIDDEN,
  },
];
