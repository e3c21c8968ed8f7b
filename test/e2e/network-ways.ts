/** The networks of the matrix: without a proxy, and with a real one of each kind. */
import assert from 'node:assert/strict';
import type { TestContext } from 'node:test';
import type { Guard } from './egress-jobs.ts';
import {
  type RealProxy,
  SECRETS,
  startDante,
  startMicrosocks,
  startSquid,
  startTlsSquid,
  type SquidOptions,
} from './egress-proxies.ts';

/** What the network gives to a job. */
export interface Way {
  /** Names that reach 127.0.0.1 or ::1 this way. */
  readonly names: Readonly<Record<'given' | 'public' | 'ipv6', string>>;
  readonly environment: Readonly<Record<string, string>>;
  /** PEM of the authority behind the proxy's certificate. */
  readonly trusted?: string;
  readonly proxy?: RealProxy;
  /** Replaces names in the proxy's log, for one that logs addresses alone. */
  readonly logs?: string;
  readonly secrets?: readonly string[];
}

/** Unlike `localhost`, not below teleport.cluster.local for Kubernetes, not exempt from proxies, and known to every resolver. */
const LOCAL_NAMES = { given: 'LOCALHOST', public: 'LocalHost', ipv6: '[::1]' };

/** Only squid resolves them. */
const HIDDEN_NAMES = { given: 'teleport.corp.test', public: 'public.corp.test', ipv6: 'ipv6.corp.test' };
const SQUID: SquidOptions = {
  names: [HIDDEN_NAMES.given, HIDDEN_NAMES.public],
  ipv6Names: [HIDDEN_NAMES.ipv6],
  login: true,
};

/** The port 9 is closed. */
export const WITHOUT_PROXY: Way = {
  names: LOCAL_NAMES,
  environment: { HTTPS_PROXY: 'http://127.0.0.1:9', NO_PROXY: 'internal.example.com, localhost' },
};

export async function throughSquid(t: TestContext): Promise<Way> {
  const proxy = await startSquid(t, SQUID);
  return { names: HIDDEN_NAMES, environment: { HTTPS_PROXY: proxy.url }, proxy, secrets: SECRETS };
}

export async function throughTlsSquid(t: TestContext): Promise<Way> {
  const { certificate, ...proxy } = await startTlsSquid(t, SQUID);
  const environment = { HTTPS_PROXY: proxy.url };
  return { names: HIDDEN_NAMES, environment, proxy, secrets: SECRETS, trusted: certificate };
}

/** Without a login. */
export async function throughDante(t: TestContext): Promise<Way> {
  const proxy = await startDante(t);
  return { names: LOCAL_NAMES, environment: { HTTPS_PROXY: proxy.url }, proxy, logs: '127.0.0.1' };
}

export async function throughMicrosocks(t: TestContext): Promise<Way> {
  const proxy = await startMicrosocks(t);
  return { names: LOCAL_NAMES, environment: { HTTPS_PROXY: proxy.url }, proxy, secrets: SECRETS };
}

/** What the guard has watched connected to nothing but the proxy, and looked up nothing but its name. */
export async function assertNothingAround({ proxy }: Way, guard: Guard): Promise<void> {
  if (proxy === undefined) return;
  const allowed = [`connect 127.0.0.1:${proxy.port}`, ...(proxy.url.includes('localhost') ? ['lookup localhost'] : [])];
  assert.deepEqual(
    (await guard.lines()).filter((line) => !allowed.includes(line)),
    [],
  );
}

interface Expected {
  readonly hosts: readonly string[];
  readonly ports: readonly number[];
  /** The number of connections. */
  readonly atLeast: number;
}

/** The proxy has opened connections to these ports, and by no other names. */
export async function assertTargets({ logs, proxy }: Way, { atLeast, hosts, ports }: Expected): Promise<void> {
  if (proxy === undefined) return;
  const targets = (await proxy.targets()).filter((target) => ports.includes(Number(target.split(':').at(-1))));
  assert.ok(targets.length >= atLeast, `${targets.length} connections, expected ${atLeast}`);
  const expected = logs === undefined ? hosts : [logs];
  assert.deepEqual(
    targets.filter((target) => !expected.includes(target.replace(/:\d+$/, ''))),
    [],
  );
}
