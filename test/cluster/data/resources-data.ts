/** The resources of the cluster: Kubernetes clusters, databases and applications. */
import type { Labels } from './labels.ts';

interface Resource {
  readonly name: string;
  /** Roles that do not select these labels do not see it. */
  readonly labels: Labels;
  /** How many agents serve it; each one is listed. */
  readonly agents: number;
}

export type KubernetesCluster = Resource;

export interface Database extends Resource {
  readonly protocol: string;
  readonly uri: string;
  /** The users that can be requested, and the databases of the server. */
  readonly users: readonly string[];
  readonly databases: readonly string[];
  /** Its port on 127.0.0.1, set by a test that starts one; without it, the resource is offline. */
  port?: number;
}

export interface Application extends Resource {
  readonly uri: string;
  readonly publicAddress: string;
  /** Like `port` of a database. */
  port?: number;
}

export interface AccessResources {
  readonly kubernetesClusters: readonly KubernetesCluster[];
  /** A test adds its own. */
  readonly databases: Database[];
  readonly applications: Application[];
}

/** Resources found by Teleport's discovery have long names; this label contains the short one. */
const DISCOVERED_NAME = 'teleport.internal/discovered-name';

const ONE = { agents: 1 } as const;
const HIDDEN = { labels: { env: 'restricted' }, agents: 1 } as const;

const discovered = (name: string): Labels => ({ env: 'staging', [DISCOVERED_NAME]: name });

/** New objects every time, because tests change the ports. */
export function accessResources(): AccessResources {
  return {
    kubernetesClusters: kubernetesClusters(),
    databases: DATABASES.map((one) => ({ ...one })),
    applications: APPLICATIONS.map((one) => ({ ...one })),
  };
}

function kubernetesClusters(): readonly KubernetesCluster[] {
  return [
    { name: 'dev', labels: { env: 'dev', region: 'eu' }, agents: 2 },
    { name: 'prod', labels: { env: 'prod', region: 'eu' }, ...ONE },
    { name: 'staging-eks-eu-central-1-123456789012', labels: discovered('staging'), ...ONE },
    { name: 'shared-eks-eu-west-1-123456789012', labels: discovered('shared'), ...ONE },
    { name: 'shared-eks-us-east-1-123456789012', labels: discovered('shared'), ...ONE },
    { name: 'payroll', ...HIDDEN },
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
  { name: 'orders', labels: { env: 'prod' }, ...POSTGRES, agents: 2 },
  { name: 'inventory', labels: { env: 'prod' }, ...MYSQL, ...ONE },
  { name: 'cache', labels: { env: 'prod' }, ...REDIS, ...ONE },
  { name: 'events', labels: { env: 'prod' }, ...MONGODB, ...ONE },
  { name: 'reports-rds-eu-central-1-123456789012', labels: discovered('reports'), ...POSTGRES, ...ONE },
  { name: 'ledger-rds-eu-west-1-123456789012', labels: discovered('ledger'), ...POSTGRES, ...ONE },
  { name: 'ledger-rds-us-east-1-123456789012', labels: discovered('ledger'), ...POSTGRES, ...ONE },
  { name: 'salaries', ...POSTGRES, ...HIDDEN },
];

const APPLICATIONS: readonly Application[] = [
  {
    name: 'dashboard',
    labels: { env: 'prod' },
    uri: 'http://localhost:8080',
    publicAddress: 'dashboard.example.teleport.test',
    agents: 2,
  },
  {
    name: 'wiki-k8s-tools',
    labels: discovered('wiki'),
    uri: 'http://localhost:8081',
    publicAddress: 'wiki-k8s-tools.example.teleport.test',
    ...ONE,
  },
  {
    name: 'broker',
    labels: { env: 'prod' },
    uri: 'tcp://localhost:9092',
    publicAddress: 'broker.example.teleport.test',
    ...ONE,
  },
  {
    name: 'backoffice',
    uri: 'http://localhost:8082',
    publicAddress: 'backoffice.example.teleport.test',
    ...HIDDEN,
  },
];
