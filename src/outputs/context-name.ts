/** Templates for the names of kubeconfig contexts: the part of Go's text/template that a name needs. */

type Part =
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'field'; readonly field: 'clusterName' | 'kubeName' }
  | { readonly kind: 'label'; readonly label: string };

export type ContextTemplate = readonly Part[];

export interface KubeCluster {
  /** Of the Teleport cluster. */
  readonly clusterName: string;
  readonly kubeName: string;
  readonly labels: Readonly<Record<string, string>>;
}

/** `{{.ClusterName}}-{{.KubeName}}`, which is unique within a Teleport cluster. */
export const DEFAULT_CONTEXT_TEMPLATE: ContextTemplate = [
  { kind: 'field', field: 'clusterName' },
  { kind: 'text', text: '-' },
  { kind: 'field', field: 'kubeName' },
];

const ACTION = /\{\{\s*(?:\.(ClusterName|KubeName)|\.Labels\.(\w+)|index\s+\.Labels\s+"([^"\\]*)")\s*\}\}/g;

/** @returns undefined for a template with anything but text, `.ClusterName`, `.KubeName` and labels */
export function parseContextTemplate(template: string): ContextTemplate | undefined {
  const parts: Part[] = [];
  let end = 0;
  for (const match of template.matchAll(ACTION)) {
    parts.push({ kind: 'text', text: template.slice(end, match.index) }, actionOf(match));
    end = match.index + match[0].length;
  }
  parts.push({ kind: 'text', text: template.slice(end) });
  const isLeftOver = (part: Part) => part.kind === 'text' && part.text.includes('{{');
  return parts.some(isLeftOver) ? undefined : parts.filter((part) => part.kind !== 'text' || part.text !== '');
}

function actionOf([, field, name, quotedName]: RegExpMatchArray): Part {
  if (field !== undefined) return { kind: 'field', field: field === 'ClusterName' ? 'clusterName' : 'kubeName' };
  return { kind: 'label', label: name ?? quotedName ?? '' };
}

/** The name, or the label that the cluster would need for it. */
export type ContextName = { readonly name: string } | { readonly missingLabel: string };

export function contextName(template: ContextTemplate, cluster: KubeCluster): ContextName {
  const texts: string[] = [];
  for (const part of template) {
    const text = textOf(part, cluster);
    if (text === undefined) return { missingLabel: part.kind === 'label' ? part.label : '' };
    texts.push(text);
  }
  return { name: texts.join('') };
}

function textOf(part: Part, cluster: KubeCluster): string | undefined {
  switch (part.kind) {
    case 'text':
      return part.text;
    case 'field':
      return cluster[part.field];
    case 'label':
      return Object.hasOwn(cluster.labels, part.label) ? cluster.labels[part.label] : undefined;
    default:
      return part satisfies never;
  }
}

/** The template as text: as it was written, or an equivalent. */
export function templateText(template: ContextTemplate): string {
  return template
    .map((part) => {
      switch (part.kind) {
        case 'text':
          return part.text;
        case 'field':
          return part.field === 'clusterName' ? '{{.ClusterName}}' : '{{.KubeName}}';
        case 'label':
          return `{{index .Labels ${JSON.stringify(part.label)}}}`;
        default:
          return part satisfies never;
      }
    })
    .join('');
}
