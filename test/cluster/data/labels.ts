/** Labels of resources, and how roles select by them. */

export type Labels = Readonly<Record<string, string>>;

/** Every key with its allowed values; `*` stands for any key or any value. */
export type LabelSelector = Readonly<Record<string, readonly string[]>>;

/** The labels by which roles select resources. */
export type Reachable = 'node' | 'kubernetes' | 'database' | 'application';

/** Every key must match; a selector without keys selects nothing (`MatchLabels` of lib/services/role.go). */
export function selects(selector: LabelSelector, labels: Labels): boolean {
  const wanted = Object.entries(selector);
  return (
    wanted.length > 0 &&
    wanted.every(([key, values]) => (key === '*' ? values.includes('*') : hasOneOf(labels[key], values)))
  );
}

function hasOneOf(value: string | undefined, values: readonly string[]): boolean {
  return value !== undefined && (values.includes('*') || values.includes(value));
}
