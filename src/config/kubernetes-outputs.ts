/** Outputs that give access to Kubernetes clusters. */
import * as z from 'zod/mini';
import { type ContextTemplate, DEFAULT_CONTEXT_TEMPLATE, parseContextTemplate } from '../outputs/context-name.ts';
import type { ArgoCdOutput, KubernetesOutput, KubernetesSelector, KubernetesV2Output } from '../outputs/output.ts';
import {
  COMMON,
  commonOf,
  itemSection,
  KUBERNETES_ADVICE,
  NAMED,
  refuseWildcard,
  resourceName,
} from '../schema/common.ts';
import { destination } from '../schema/destination.ts';
import {
  anyExpression,
  type Field,
  flag,
  list,
  optionalFlag,
  refuse,
  section,
  text,
  textList,
  textRecord,
} from '../schema/fields.ts';

const contextTemplate: Field<ContextTemplate> = z.pipe(
  anyExpression,
  z.transform((template: string | undefined, context): ContextTemplate => {
    if (template === undefined) return DEFAULT_CONTEXT_TEMPLATE;
    const known = '{{.ClusterName}}, {{.KubeName}}, {{.Labels.key}} and {{index .Labels "key"}}';
    return (
      parseContextTemplate(template) ??
      refuse(context, `cannot use ${JSON.stringify(template)} as a template; it may hold text, ${known}`)
    );
  }),
);

export const kubernetes: Field<KubernetesOutput> = z.pipe(
  itemSection({
    ...COMMON,
    destination,
    kubernetes_cluster: resourceName('kubernetes_cluster must not be empty', KUBERNETES_ADVICE),
    disable_exec_plugin: optionalFlag,
    context_name_template: contextTemplate,
    relay_server: text,
  }),
  z.transform((fields, context): KubernetesOutput => ({
    type: 'kubernetes',
    ...commonOf(fields, context),
    destination: fields.destination,
    kubernetesCluster: fields.kubernetes_cluster,
    execPlugin: fields.disable_exec_plugin === false,
    contextNameTemplate: fields.context_name_template,
    relayServer: fields.relay_server,
  })),
);

const selector: Field<KubernetesSelector> = z.pipe(
  section({ name: text, labels: textRecord, default_namespace: text }),
  z.transform(({ name, labels, default_namespace: defaultNamespace }, context): KubernetesSelector => {
    const labelled = Object.keys(labels).length > 0;
    if (name === undefined && !labelled) refuse(context, "selectors: one of 'name' and 'labels' must be specified");
    if (name !== undefined && labelled) refuse(context, "selectors: only one of 'name' and 'labels' may be specified");
    const refusal = refuseWildcard(name ?? '', 'write the whole name, or labels in its place');
    if (refusal !== undefined) refuse(context, refusal, ['name']);
    return { name, labels, defaultNamespace };
  }),
);

export const kubernetesV2: Field<KubernetesV2Output> = z.pipe(
  itemSection({
    ...NAMED,
    destination,
    selectors: list(selector),
    disable_exec_plugin: optionalFlag,
    context_name_template: contextTemplate,
    relay_server: text,
  }),
  z.transform((fields, context): KubernetesV2Output => {
    if (fields.selectors.length === 0) refuse(context, 'at least one selector must be provided', ['selectors']);
    return {
      type: 'kubernetes/v2',
      ...commonOf(fields, context),
      destination: fields.destination,
      selectors: fields.selectors,
      execPlugin: fields.disable_exec_plugin === false,
      contextNameTemplate: fields.context_name_template,
      relayServer: fields.relay_server,
    };
  }),
);

export const argoCd: Field<ArgoCdOutput> = z.pipe(
  itemSection({
    ...NAMED,
    selectors: list(selector),
    secret_namespace: text,
    secret_name_prefix: text,
    secret_labels: textRecord,
    secret_annotations: textRecord,
    project: text,
    namespaces: textList,
    cluster_resources: flag,
    cluster_name_template: anyExpression,
  }),
  z.transform((fields, context): ArgoCdOutput => {
    if (fields.selectors.length === 0) refuse(context, 'at least one selector must be provided', ['selectors']);
    if (fields.cluster_resources && fields.namespaces.length === 0) {
      refuse(context, 'cluster_resources is only applicable if namespaces is also set', ['cluster_resources']);
    }
    return {
      type: 'kubernetes/argo-cd',
      ...commonOf(fields, context),
      selectors: fields.selectors,
      secretNamespace: fields.secret_namespace,
      secretNamePrefix: fields.secret_name_prefix ?? 'teleport.argocd-cluster',
      secretLabels: fields.secret_labels,
      secretAnnotations: fields.secret_annotations,
      project: fields.project,
      namespaces: fields.namespaces,
      clusterResources: fields.cluster_resources,
      clusterNameTemplate: fields.cluster_name_template,
    };
  }),
);
