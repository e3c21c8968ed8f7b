/** Lines by which OpenSSH trusts the host certificates of clusters. */
import type { CertAuthority } from '../certs/authorities.ts';

/** One `@cert-authority` line a key, for the Proxy's host, the cluster and every node below it. */
export function knownHosts(hostAuthorities: readonly CertAuthority[], proxyHost: string): string {
  return hostAuthorities
    .flatMap(({ clusterName, sshPublicKeys }) =>
      sshPublicKeys.map((key) => certAuthorityLine([proxyHost, clusterName, `*.${clusterName}`], key)),
    )
    .join('');
}

/** For `<cluster>.known_hosts`: trusts the cluster's authority for whatever name a user's own `Host` block gives. */
export function clusterKnownHosts({ clusterName, sshPublicKeys }: CertAuthority): string {
  const head = `# Cluster specific known_hosts generated for cluster '${clusterName}'\n`;
  return head + sshPublicKeys.map((key) => certAuthorityLine(['*'], key)).join('');
}

export function certAuthorityLine(hosts: readonly string[], sshPublicKey: string): string {
  return `@cert-authority ${hosts.join(',')} ${sshPublicKey} type=host\n`;
}
