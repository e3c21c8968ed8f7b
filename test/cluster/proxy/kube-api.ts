/** A Kubernetes API with the parts that kubectl and client libraries need for discovery, reading and writing. */
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
}

export interface KubeReply {
  readonly status: number;
  readonly body: object;
}

const NAMESPACES = ['default', 'web'] as const;

/** An error in Kubernetes's format. */
export function kubeStatus(code: number, reason: string, message: string): KubeReply {
  return {
    status: code,
    body: { kind: 'Status', apiVersion: 'v1', metadata: {}, status: 'Failure', message, reason, code },
  };
}

export function answerKube(request: KubeRequest): KubeReply {
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

function createConfigMap({ body }: KubeRequest, namespace: string): KubeReply {
  const map = ConfigMap.parse(JSON.parse(body));
  return { status: 201, body: { ...map, metadata: { ...map.metadata, namespace, uid: map.metadata.name } } };
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
      resource('namespaces', 'Namespace', false, ['get', 'list']),
      resource('configmaps', 'ConfigMap', true, ['create', 'get']),
    ],
  },
  '/apis/authentication.k8s.io/v1': {
    kind: 'APIResourceList',
    apiVersion: 'v1',
    groupVersion: 'authentication.k8s.io/v1',
    resources: [resource('selfsubjectreviews', 'SelfSubjectReview', false, ['create'])],
  },
};
