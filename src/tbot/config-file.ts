/** Writes a plan down as a `tbot.yaml` of version 2, for tbot itself. */
import { resolve } from 'node:path';
import { DEFAULT_LEEWAY_MS } from '../config/load.ts';
import type { Plan } from '../config/plan.ts';
import { DEFAULT_CONTEXT_TEMPLATE, templateText } from '../outputs/context-name.ts';
import type { KubernetesSelector, Selector, SupportedOutput } from '../outputs/output.ts';
import type { Lifetime } from '../schema/common.ts';

type Fields = Readonly<Record<string, unknown>>;

/**
 * The whole plan, rather than the user's file with flags beside it: what came from flags, variables and parameters counts
 * as it does here, while tbot lets a single `--token` drop the rest of `onboarding`, and has no flags for outputs beside
 * those of a file. A key that is not in the plan has been warned of; tbot of 15 and 16 would refuse the file for some of
 * those, later ones pass over them.
 *
 * For every version since 15: `outputs` is the list that 15 reads whole, `certificate_ttl` the name of the lifetime that
 * it knows, and a key that came later stands here only when it says something else than its default. JSON is YAML.
 */
export function tbotFile(plan: Plan, outputs: readonly SupportedOutput[], workingDirectory: string): string {
  const { address, caPath, caPins, certificateTtlMs, debug, diagAddr, fips, insecure, leewayMs } = plan;
  const file: Fields = {
    version: 'v2',
    // Whatever the setting was called: it is a Proxy that has answered there.
    proxy_server: address.value,
    onboarding: {
      join_method: plan.joinMethod,
      token: plan.token,
      ...(caPins.length === 0 ? {} : { ca_pins: caPins }),
      ...(caPath === undefined ? {} : { ca_path: resolve(workingDirectory, caPath) }),
    },
    storage: { type: 'memory' },
    oneshot: true,
    certificate_ttl: goDuration(certificateTtlMs),
    renewal_interval: goDuration(plan.renewalIntervalMs),
    ...(debug ? { debug } : {}),
    ...(fips ? { fips } : {}),
    ...(insecure ? { insecure } : {}),
    ...(plan.scopeRequests.length === 0 ? {} : { scoped: true }),
    ...optional('diag_addr', diagAddr),
    ...(leewayMs === DEFAULT_LEEWAY_MS ? {} : { leeway: goDuration(leewayMs) }),
    outputs: outputs.map((output) => outputFields(output, workingDirectory)),
  };
  return `${JSON.stringify(file, undefined, 2)}\n`;
}

function outputFields(output: SupportedOutput, workingDirectory: string): Fields {
  const { destination, lifetime, name, roles, type } = output;
  return {
    type,
    ...(name === undefined ? {} : { name }),
    ...(roles.length === 0 ? {} : { roles }),
    ...(lifetime === undefined ? {} : lifetimeFields(lifetime)),
    destination:
      destination.type === 'memory'
        ? { type: 'memory' }
        : { ...destination, path: resolve(workingDirectory, destination.path) },
    ...typeFields(output),
  };
}

function lifetimeFields({ renewalIntervalMs, ttlMs }: Lifetime): Fields {
  return { credential_ttl: goDuration(ttlMs), renewal_interval: goDuration(renewalIntervalMs) };
}

/** What an output has besides what all have, in the words of its file. */
export function typeFields(output: SupportedOutput): Fields {
  switch (output.type) {
    case 'identity':
      return {
        ...optional('cluster', output.cluster),
        ssh_config: output.sshConfig ? 'on' : 'off',
        ...(output.allowReissue ? { allow_reissue: true } : {}),
      };
    case 'application':
      return { app_name: output.appName, specific_tls_naming: output.specificTlsNaming };
    case 'database':
      return {
        service: output.service,
        ...optional('database', output.database),
        ...optional('username', output.username),
        ...(output.format === 'default' ? {} : { format: output.format }),
      };
    case 'kubernetes':
      return { kubernetes_cluster: output.kubernetesCluster, ...kubeFields(output) };
    case 'kubernetes/v2':
      return { selectors: output.selectors.map(kubeSelector), ...kubeFields(output) };
    case 'ssh_host':
      return { principals: output.principals, ...(output.caType === 'user' ? {} : { ca_type: output.caType }) };
    case 'spiffe-svid': {
      const { dnsNames: dns, hint, ipAddresses: ip, path } = output.svid;
      return {
        svid: { path, ...optional('hint', hint), sans: { dns, ip } },
        jwts: output.jwts.map(({ audience, fileName }) => ({ audience, file_name: fileName })),
        ...federated(output),
      };
    }
    case 'workload-identity-x509':
      return { selector: selectorFields(output.selector), ...federated(output) };
    case 'workload-identity-jwt':
      return { selector: selectorFields(output.selector), audiences: output.audiences };
    case 'workload-identity-aws-roles-anywhere':
      return {
        selector: selectorFields(output.selector),
        role_arn: output.roleArn,
        profile_arn: output.profileArn,
        trust_anchor_arn: output.trustAnchorArn,
        ...optional('region', output.region),
        session_duration: goDuration(output.sessionDurationMs),
        session_renewal_interval: goDuration(output.sessionRenewalIntervalMs),
        credential_profile_name: output.credentialProfileName,
        artifact_name: output.artifactName,
        overwrite_credential_file: output.overwriteCredentialFile,
      };
    default:
      return output satisfies never;
  }
}

/** tbot names a program in the kubeconfig unless it is told not to; here it is the other way round. */
function kubeFields(output: Extract<SupportedOutput, { readonly type: 'kubernetes' | 'kubernetes/v2' }>): Fields {
  const template = templateText(output.contextNameTemplate);
  return {
    disable_exec_plugin: !output.execPlugin,
    ...(template === templateText(DEFAULT_CONTEXT_TEMPLATE) ? {} : { context_name_template: template }),
  };
}

function kubeSelector({ defaultNamespace, labels, name }: KubernetesSelector): Fields {
  return { ...(name === undefined ? { labels } : { name }), ...optional('default_namespace', defaultNamespace) };
}

function selectorFields({ labels, name }: Selector): Fields {
  return name === undefined ? { labels } : { name };
}

function federated({ includeFederatedTrustBundles }: { readonly includeFederatedTrustBundles: boolean }): Fields {
  return includeFederatedTrustBundles ? { include_federated_trust_bundles: true } : {};
}

function optional(key: string, value: string | undefined): Fields {
  return value === undefined ? {} : { [key]: value };
}

/** As Go's time package reads durations, which knows no exponents. */
function goDuration(durationMs: number): string {
  return `${Math.max(1, Math.round(durationMs))}ms`;
}
