/** A Kubernetes API with the parts that kubectl and client libraries need for discovery, reading and writing. */
import { EventEmitter, on } from 'node:events';
import { z } from 'zod';

export interface KubeRequest {
  /** The name of the Kubernetes cluster. */
  readonly cluster: string;
  readonly user: string;
  readonly groups: readonly string[];
  readonly method: string;
  /** Including its query. */
  readonly path: string;
  readonly body: string;
  readonly events: KubeEvents;
}

export interface KubeReply {
  readonly status: number;
  readonly body: object;
}

/** An answer that comes in pieces, each as soon as there is one. */
export interface KubeStream {
  readonly status: number;
  readonly pieces: AsyncIterable<string>;
}

/** What happens in the Kubernetes clusters of a Teleport cluster: logs and watches follow it. */
export class KubeEvents {
  readonly #created = new EventEmitter();

  constructor() {
    this.#created.setMaxListeners(0);
  }

  add(map: ConfigMapCreated): void {
    this.#created.emit('created', map);
  }

  /** Those of a namespace from now on, until the one with the name `last`. */
  async *configMaps(namespace: string): AsyncIterable<ConfigMapCreated> {
    for await (const events of on(this.#created, 'created')) {
      const created = ConfigMapCreated.parse(events[0]);
      if (created.metadata.namespace === namespace) {
        yield created;
      }
      if (created.metadata.name === 'last') {
        return;
      }
    }
  }
}

const NAMESPACES = ['default', 'web'] as const;

/** An error in Kubernetes's format. */
export function kubeStatus(code: number, reason: string, message: string): KubeReply {
  return {
    status: code,
    body: { kind: 'Status', apiVersion: 'v1', metadata: {}, status: 'Failure', message, reason, code },
  };
}

export function answerKube(request: KubeRequest): KubeReply | KubeStream {
  const [path = ''] = request.path.split('?');
  const discovered = DISCOVERY[path];
  if (request.method === 'GET' && discovered !== undefined) {
    return { status: 200, body: discovered };
  }
  if (request.method === 'POST' && path === '/apis/authentication.k8s.io/v1/selfsubjectreviews') {
    return { status: 201, body: selfReview(request) };
  }
  const [, namespace, name] = /^\/api\/v1\/namespaces\/([^/]+)\/configmaps(?:\/([^/]+))?$/.exec(path) ?? [];
  if (request.method === 'POST' && namespace !== undefined && name === undefined) {
    return createConfigMap(request, namespace);
  }
  if (request.method === 'GET' && namespace !== undefined) {
    return name === undefined ? configMaps(request, namespace) : kubeStatus(404, 'NotFound', `no ${name}`);
  }
  // What such a program writes is what it is sent.
  if (path.endsWith(`/pods/pod-of-${request.cluster}/exec`)) {
    return { status: 101, body: {} };
  }
  const [, ofPod, pod, log] = /^\/api\/v1\/namespaces\/([^/]+)\/pods\/([^/]+)(\/log)?$/.exec(path) ?? [];
  if (request.method === 'GET' && ofPod !== undefined && pod === `pod-of-${request.cluster}`) {
    return log === undefined
      ? { status: 200, body: { kind: 'Pod', apiVersion: 'v1', ...podOf(request.cluster, ofPod) } }
      : { status: 200, pieces: logOf(request, ofPod) };
  }
  return request.method === 'GET' ? list(request, path) : kubeStatus(405, 'MethodNotAllowed', 'not served here');
}

function list({ cluster }: KubeRequest, path: string): KubeReply {
  if (path === '/api/v1/namespaces') {
    return {
      status: 200,
      body: { kind: 'NamespaceList', apiVersion: 'v1', metadata: {}, items: NAMESPACES.map(namespaceOf) },
    };
  }
  const [, namespace] = /^\/api\/v1\/(?:namespaces\/([^/]+)\/)?pods$/.exec(path) ?? [];
  if (path.endsWith('/pods')) {
    const items = NAMESPACES.filter((one) => namespace === undefined || one === namespace).map((one) =>
      podOf(cluster, one),
    );
    return { status: 200, body: { kind: 'PodList', apiVersion: 'v1', metadata: {}, items } };
  }
  return kubeStatus(404, 'NotFound', `the server could not find the requested resource ${path}`);
}

function namespaceOf(name: string): object {
  return { metadata: { name, uid: name }, status: { phase: 'Active' } };
}

/** Its name shows which cluster it is in. */
function podOf(cluster: string, namespace: string): object {
  return {
    metadata: { name: `pod-of-${cluster}`, namespace, uid: `${cluster}-${namespace}` },
    spec: { containers: [{ name: 'main', image: 'busybox' }] },
    status: { phase: 'Running' },
  };
}

function selfReview({ groups, user }: KubeRequest): object {
  return {
    kind: 'SelfSubjectReview',
    apiVersion: 'authentication.k8s.io/v1',
    metadata: { creationTimestamp: null },
    status: { userInfo: { username: user, groups: [...groups, 'system:authenticated'] } },
  };
}

const ConfigMap = z.object({ metadata: z.object({ name: z.string() }).loose() }).loose();

const ConfigMapCreated = z.object({ metadata: z.object({ name: z.string(), namespace: z.string() }).loose() }).loose();
type ConfigMapCreated = z.infer<typeof ConfigMapCreated>;

function createConfigMap({ body, events }: KubeRequest, namespace: string): KubeReply {
  const map = ConfigMap.parse(JSON.parse(body));
  const { name } = map.metadata;
  const created = { ...map, metadata: { ...map.metadata, namespace, uid: name, resourceVersion: '2' } };
  events.add(created);
  return { status: 201, body: created };
}

/** None is kept: a list is empty, and a watch sees those that are created meanwhile. */
function configMaps({ events, path }: KubeRequest, namespace: string): KubeReply | KubeStream {
  if (new URLSearchParams(path.split('?')[1]).get('watch') !== null) {
    return { status: 200, pieces: watched(events, namespace) };
  }
  return {
    status: 200,
    body: { kind: 'ConfigMapList', apiVersion: 'v1', metadata: { resourceVersion: '1' }, items: [] },
  };
}

async function* watched(events: KubeEvents, namespace: string): AsyncIterable<string> {
  for await (const object of events.configMaps(namespace)) {
    yield `${JSON.stringify({ type: 'ADDED', object: { kind: 'ConfigMap', apiVersion: 'v1', ...object } })}\n`;
  }
}

/** The program in the pod logs which configuration it is given. */
async function* logOf({ cluster, events }: KubeRequest, namespace: string): AsyncIterable<string> {
  yield `started in ${cluster}\n`;
  for await (const { metadata } of events.configMaps(namespace)) {
    yield `got ${metadata.name}\n`;
  }
}

const resource = (name: string, kind: string, namespaced: boolean, verbs: readonly string[]): object => ({
  name,
  singularName: kind.toLowerCase(),
  namespaced,
  kind,
  verbs,
});

const DISCOVERY: Readonly<Record<string, object>> = {
  '/version': { major: '1', minor: '31', gitVersion: 'v1.31.0', platform: 'linux/amd64' },
  '/api': { kind: 'APIVersions', versions: ['v1'], serverAddressByClientCIDRs: [] },
  '/apis': {
    kind: 'APIGroupList',
    apiVersion: 'v1',
    groups: [
      {
        name: 'authentication.k8s.io',
        versions: [{ groupVersion: 'authentication.k8s.io/v1', version: 'v1' }],
        preferredVersion: { groupVersion: 'authentication.k8s.io/v1', version: 'v1' },
      },
    ],
  },
  '/api/v1': {
    kind: 'APIResourceList',
    groupVersion: 'v1',
    resources: [
      resource('pods', 'Pod', true, ['get', 'list']),
      resource('pods/log', 'Pod', true, ['get']),
      resource('namespaces', 'Namespace', false, ['get', 'list']),
      resource('configmaps', 'ConfigMap', true, ['create', 'get', 'list', 'watch']),
    ],
  },
  '/apis/authentication.k8s.io/v1': {
    kind: 'APIResourceList',
    apiVersion: 'v1',
    groupVersion: 'authentication.k8s.io/v1',
    resources: [resource('selfsubjectreviews', 'SelfSubjectReview', false, ['create'])],
  },
};
