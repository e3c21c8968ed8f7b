/**
 * The tunnel type `kubernetes-tunnel`, which is not tbot's: kubectl reaches one Kubernetes cluster without a certificate. Behind a
 * load balancer that terminates TLS no kubeconfig alone can do that, because kubectl's certificate ends there.
 */
import { basename, dirname } from 'node:path';
import { privateKeyPem } from '../crypto/keys.ts';
import { MachineIdError } from '../errors.ts';
import { prepareDirectory } from '../files/prepare.ts';
import { writeDirectory } from '../files/write.ts';
import { settingPlace } from '../outputs/find-resource.ts';
import { findKubeCluster } from '../outputs/kube-access.ts';
import { requestIdentity, withOwnSession } from '../outputs/work.ts';
import { resourceName } from '../schema/common.ts';
import { plainDirectory } from '../schema/destination.ts';
import { pathText, refuse } from '../schema/fields.ts';
import { documentation, key, keys, type ValuesOf } from '../schema/keys.ts';
import { kubeEndpoint } from '../teleport/kube-endpoint.ts';
import { type BotSession, hostAuthoritiesOf } from './bot.ts';
import { type IssuedTarget, openByteTunnel } from './byte-tunnel.ts';
import { httpWire } from './http-wire.ts';
import { listenField, writeListenAddress } from './listen-address.ts';
import { type OpenTunnel, type TunnelOf, tunnelType } from './tunnel-type.ts';
import type { TunnelWork } from './work.ts';

/** Of the file for kubectl, in the destination that flags give. */
export const KUBECONFIG_NAME = 'kubeconfig.yaml';

const kubernetesKeys = keys({
  listen: key('listen', listenField, documentation('Where to listen: `tcp://host:port`.'), {
    write: writeListenAddress,
  }),
  kubernetesCluster: key(
    'kubernetes_cluster',
    resourceName('kubernetes_cluster must not be empty'),
    documentation('Name of the Kubernetes cluster in Teleport.'),
  ),
  kubeconfig: key(
    'kubeconfig',
    pathText,
    documentation('File to write for kubectl, which leads to the tunnel; it has no secret. None by default.'),
  ),
});

type KubernetesTunnel = TunnelOf<'kubernetes-tunnel', ValuesOf<typeof kubernetesKeys>>;

export const kubernetesTunnel = tunnelType('kubernetes-tunnel', {
  help: documentation(
    'One Kubernetes cluster, also where a load balancer in front of the Proxy terminates TLS. Not in tbot.',
  ),
  keys: kubernetesKeys,
  check: ({ listen }, context) => {
    if (listen.kind === 'unix') refuse(context, 'listen: kubectl needs tcp://HOST:PORT', ['listen']);
  },
  resource: ({ kubernetesCluster }) => kubernetesCluster,
  open,
});

async function open(tunnel: KubernetesTunnel, work: TunnelWork): Promise<OpenTunnel> {
  const { bot } = work;
  const opened = await openByteTunnel(tunnel.listen, work, () => bot.withSession((session) => issue(tunnel, session)));
  const { kubeconfig, kubernetesCluster } = tunnel;
  if (kubeconfig === undefined) return opened;
  await writeKubeconfig(kubeconfig, kubeconfigFor(`http://${opened.address}`, kubernetesCluster), work);
  return { ...opened, clientVariables: new Map([['KUBECONFIG', kubeconfig]]) };
}

async function issue(tunnel: KubernetesTunnel, session: BotSession): Promise<IssuedTarget> {
  const { kubernetesCluster, path } = tunnel;
  const endpoint = kubeEndpoint(await session.joined.proxy());
  if (endpoint?.serverName === undefined) throw noTlsRouting(path);
  const routedKey = session.newKey('suite');
  routedKey.catch(() => undefined); // awaited once the cluster is found
  const { name } = await withOwnSession(tunnel, session, ({ api }) =>
    findKubeCluster(api, kubernetesCluster, settingPlace(path, 'kubernetes_cluster')),
  );
  const route = { kind: 'kubernetes', kubernetesCluster: name } as const;
  const { identity } = await requestIdentity(tunnel, session, { keyPair: await routedKey, route });
  return {
    certificate: {
      certificatePem: identity.tlsCertificatePem,
      privateKeyPem: privateKeyPem(identity.keyPair),
      hostAuthoritiesPem: await hostAuthoritiesOf(session),
      expiresAtMs: identity.expiresAtMs,
    },
    // Only HTTP/1.1 carries `kubectl exec` and `port-forward`; both are protocols inside HTTP, and pass as bytes.
    route: { alpn: 'http/1.1', serverName: endpoint.serverName, trust: 'host' },
    wire: httpWire(endpoint.serverName),
    target: `Kubernetes cluster ${name}`,
    clientVariables: () => new Map(),
  };
}

function noTlsRouting(path: string): MachineIdError {
  return new MachineIdError('CLUSTER_UNSUPPORTED', `${path}: the Proxy has no TLS routing, or no Kubernetes`, {
    hint: 'Use an output of the type kubernetes: without TLS routing, kubectl reaches the Proxy by its own port.',
  });
}

/** In a folder that may not exist yet. */
async function writeKubeconfig(path: string, contents: string, work: TunnelWork): Promise<void> {
  const { files, log, program, record, signal } = work;
  const { commands, workingDirectory } = program;
  const destination = plainDirectory(dirname(path));
  const folder = await prepareDirectory(files, destination, workingDirectory, record);
  const output = { name: basename(path), contents };
  const warnings = await writeDirectory({ files, commands, record, signal }, destination, folder.path, [output]);
  for (const warning of [...folder.warnings, ...warnings]) log.warn(warning);
}

/** In JSON, which is YAML too. */
function kubeconfigFor(server: string, name: string): string {
  return `${JSON.stringify(
    {
      apiVersion: 'v1',
      kind: 'Config',
      clusters: [{ name, cluster: { server } }],
      users: [{ name: 'machine-id', user: {} }],
      contexts: [{ name, context: { cluster: name, user: 'machine-id' } }],
      'current-context': name,
    },
    undefined,
    2,
  )}\n`;
}
