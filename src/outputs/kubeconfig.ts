/** `kubeconfig.yaml`, which kubectl, Helm and other Kubernetes clients read. */
import * as z from 'zod/mini';
import type { CertAuthority } from '../auth/auth-api.ts';
import type { Identity } from '../auth/issue.ts';
import { privateKeyPem } from '../crypto/keys.ts';
import type { OutputFile } from '../files/destination.ts';
import { formatAddress } from '../net/address.ts';
import type { KubeEndpoint } from '../teleport/kube-endpoint.ts';
import type { KubeconfigNames } from './result.ts';
import { type CredentialFiles, fileFailure, readFile } from './read-back.ts';

export interface KubeContext {
  readonly name: string;
  /** Below the endpoint; empty if the certificate names the Kubernetes cluster. */
  readonly path: string;
  readonly namespace: string | undefined;
}

/** How a client gets the certificate and the key: from the file itself, or from a Node program that prints them. */
export type KubeCredentials =
  | { readonly kind: 'inline'; readonly identity: Identity }
  | { readonly kind: 'exec'; readonly command: string; readonly args: readonly string[]; readonly nodeOptions: string };

export interface KubeconfigInput {
  readonly endpoint: KubeEndpoint;
  /** Of the cluster that was joined: they sign the certificate of its Proxy. */
  readonly hostAuthorities: readonly CertAuthority[];
  /** The first is the current one. */
  readonly contexts: readonly KubeContext[];
  readonly userName: string;
  readonly credentials: KubeCredentials;
}

/** `compat` quotes text that the YAML 1.1 reader of Kubernetes would take for another type. */
const STYLE = { indentSeq: false, lineWidth: 0, compat: 'yaml-1.1' } as const;

export async function kubeconfig(input: KubeconfigInput): Promise<OutputFile> {
  const { stringify } = await import('../schema/yaml/text.ts');
  const { contexts, userName } = input;
  const document = {
    apiVersion: 'v1',
    clusters: contexts.map((context) => ({ cluster: cluster(input, context), name: context.name })),
    contexts: contexts.map(({ name, namespace }) => ({
      context: { cluster: name, ...(namespace === undefined ? {} : { namespace }), user: userName },
      name,
    })),
    'current-context': contexts[0]?.name ?? '',
    kind: 'Config',
    users: [{ name: userName, user: user(input.credentials) }],
  };
  return { name: 'kubeconfig.yaml', contents: stringify(document, STYLE) };
}

/** The path of a Kubernetes cluster at a Proxy since version 17: both names in base64url without padding. */
export function kubeClusterPath(clusterName: string, kubeName: string): string {
  const segments = [clusterName, kubeName].map((name) => Buffer.from(name, 'utf8').toString('base64url'));
  return `/v1/teleport/${segments.join('/')}`;
}

function cluster({ endpoint, hostAuthorities }: KubeconfigInput, { path }: KubeContext) {
  const { address, serverName } = endpoint;
  return {
    'certificate-authority-data': base64(hostAuthorities.flatMap((one) => one.tlsCertificatesPem).join('')),
    server: `https://${formatAddress(address)}${path}`,
    ...(serverName === undefined ? {} : { 'tls-server-name': serverName }),
  };
}

function user(credentials: KubeCredentials) {
  switch (credentials.kind) {
    case 'inline': {
      const { tlsCertificatePem, keyPair } = credentials.identity;
      return {
        'client-certificate-data': base64(tlsCertificatePem),
        'client-key-data': base64(privateKeyPem(keyPair).reveal()),
      };
    }
    case 'exec': {
      const { args, command, nodeOptions } = credentials;
      const apiVersion = 'client.authentication.k8s.io/v1beta1';
      return {
        exec: {
          apiVersion,
          args: [...args],
          command,
          env: [{ name: 'NODE_OPTIONS', value: nodeOptions }],
          provideClusterInfo: false,
        },
      };
    }
    default:
      return credentials satisfies never;
  }
}

function base64(text: string): string {
  return Buffer.from(text, 'utf8').toString('base64');
}

// Reads the file back after tbot has written it.

const Named = z.object({ name: z.string() });
const Kubeconfig = z.object({ contexts: z.array(Named), users: z.tuple([Named], Named) });

/** @throws MachineIdError TBOT_FAILED */
export async function readKubeconfig(files: CredentialFiles): Promise<KubeconfigNames | undefined> {
  const { parse } = await import('../schema/yaml/text.ts');
  return readFile('kubeconfig.yaml', files, (text) => {
    const { data } = z.safeParse(Kubeconfig, parse(text));
    return data && { contexts: data.contexts.map(({ name }) => name), user: data.users[0].name };
  });
}

/**
 * tbot accepts selectors that match nothing, and no step can use what it then writes.
 * @throws MachineIdError TBOT_FAILED
 */
export function requireClusters({ contents }: CredentialFiles): void {
  if (!/^contexts: *(?:null|\[\])? *$(?!\n\s*-)/m.test(contents.get('kubeconfig.yaml') ?? '')) return;
  throw fileFailure(
    'kubeconfig.yaml',
    'has no cluster: none matches a selector of the output; labels are compared literally, so that "*" is not a wildcard',
  );
}
