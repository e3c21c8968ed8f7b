/** The file that kubectl, helm and other clients of Kubernetes read. */
import { parse, stringify } from 'yaml';
import * as z from 'zod/mini';
import type { CertAuthority } from '../auth/auth-api.ts';
import type { Identity } from '../auth/issue.ts';
import { privateKeyPem } from '../crypto/keys.ts';
import type { OutputFile } from '../files/destination.ts';
import { formatAddress } from '../net/address.ts';
import type { KubeEndpoint } from '../teleport/kube-endpoint.ts';
import type { KubeconfigNames } from './journal.ts';
import { type CredentialFiles, fileFailure, readFile } from './read-back.ts';

export interface KubeContext {
  readonly name: string;
  /** Below the endpoint; empty where the certificate says which Kubernetes cluster is meant. */
  readonly path: string;
  readonly namespace: string | undefined;
}

/** How a client comes by the certificate and the key: they stand in the file, or a program of Node's prints them. */
export type KubeCredentials =
  | { readonly kind: 'inline'; readonly identity: Identity }
  | { readonly kind: 'exec'; readonly command: string; readonly args: readonly string[]; readonly nodeOptions: string };

export interface KubeconfigInput {
  readonly endpoint: KubeEndpoint;
  /** Of the cluster that was joined: its Proxy shows a certificate that they signed. */
  readonly hostAuthorities: readonly CertAuthority[];
  /** The first is the current one. */
  readonly contexts: readonly KubeContext[];
  readonly userName: string;
  readonly credentials: KubeCredentials;
}

/** `compat` quotes what the older YAML of Kubernetes' own reader would take for something else than text. */
const STYLE = { indentSeq: false, lineWidth: 0, compat: 'yaml-1.1' } as const;

export function kubeconfig(input: KubeconfigInput): OutputFile {
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

/** The path by which a Proxy from version 17 on knows the Kubernetes cluster: both names in base64url without padding. */
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

// What tbot has written.

const Named = z.object({ name: z.string() });
const Kubeconfig = z.object({ contexts: z.array(Named), users: z.tuple([Named], Named) });

/** @throws MachineIdError TBOT_FAILED */
export function readKubeconfig(files: CredentialFiles): KubeconfigNames | undefined {
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
    'has no cluster: none fits a selector of the output; labels are compared literally, so that "*" is not a wildcard',
  );
}
