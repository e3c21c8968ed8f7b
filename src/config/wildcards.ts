/** Finds `*` where Teleport takes it literally: in names, and in the labels by which tbot chooses Kubernetes clusters. */

/** Why `name` is no name of a resource, or `undefined` when it may be one. No name in Teleport holds a `*`. */
export function refuseWildcard(name: string, advice = 'write the whole name'): string | undefined {
  return name.includes('*')
    ? `"*" is not a wildcard in a name, and "${name}" would match nothing: ${advice}`
    : undefined;
}

/** What a name of a Kubernetes cluster can be replaced by. */
export const KUBERNETES_ADVICE =
  'write the whole name, or choose by labels: "type: kubernetes/v2" and "selectors: [{labels: {KEY: VALUE}}]"';

/** A sentence about a label that is unlikely to be meant, or `undefined`. */
export function literalWildcard(key: string, value: string): string | undefined {
  if (!`${key}${value}`.includes('*')) return undefined;
  return `"*" is not a wildcard here, and only a cluster whose label is "${key}: ${value}" fits; write labels that the clusters have, or their names`;
}
