/** Which workload identity is meant. */

/** The one of that name or, without a name, those whose labels have one of the values each. */
export interface WorkloadSelector {
  readonly name: string | undefined;
  readonly labels: Readonly<Record<string, readonly string[]>>;
}

/** For messages: `workload identity "a"`, or `workload identity with the labels team: ci|ops`. */
export function describeSelector({ name, labels }: WorkloadSelector): string {
  if (name !== undefined) return `workload identity "${name}"`;
  const texts = Object.entries(labels).map(([label, values]) => `${label}: ${values.join('|')}`);
  return `workload identity with the labels ${texts.join(', ')}`;
}
