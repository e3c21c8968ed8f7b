/** A small set of cases in which every two values of different dimensions meet. */

export type Dimensions = Readonly<Record<string, readonly string[]>>;

/** A value for each dimension, or for some of them. */
export type Case = Readonly<Record<string, string>>;

interface Pair {
  readonly one: Choice;
  readonly other: Choice;
}

interface Choice {
  readonly dimension: string;
  readonly value: string;
}

/** The same cases for the same dimensions, whatever the machine. */
export function pairwise(dimensions: Dimensions, isPossible: (one: Case) => boolean = () => true): readonly Case[] {
  const open = new Map(pairsOf(dimensions).map((pair) => [nameOf(pair), pair]));
  const cases: Case[] = [];
  const used = new Map<string, number>();
  for (const { one, other } of [...open.values()]) {
    const start = { [one.dimension]: one.value, [other.dimension]: other.value };
    if (!open.has(nameOf({ one, other })) || !isPossible(start)) continue;
    const found = completed(start, dimensions, { open, used, isPossible });
    for (const pair of pairsWithin(found)) open.delete(nameOf(pair));
    for (const choice of choicesOf(found)) used.set(textOf(choice), (used.get(textOf(choice)) ?? 0) + 1);
    cases.push(found);
  }
  return cases;
}

/** Every two values of different dimensions. */
export function pairsOf(dimensions: Dimensions): readonly Pair[] {
  const choices = Object.entries(dimensions).map(([dimension, values]) =>
    values.map((value) => ({ dimension, value })),
  );
  return choices.flatMap((ones, at) =>
    choices.slice(at + 1).flatMap((others) => ones.flatMap((one) => others.map((other) => ({ one, other })))),
  );
}

interface Search {
  readonly open: ReadonlyMap<string, Pair>;
  /** How often each value has been used. */
  readonly used: ReadonlyMap<string, number>;
  readonly isPossible: (one: Case) => boolean;
}

/** Chooses, for each other dimension, the value with the most pairs that are still open, or else the least used one. */
function completed(start: Case, dimensions: Dimensions, { isPossible, open, used }: Search): Case {
  return Object.entries(dimensions).reduce<Case>((chosen, [dimension, values]) => {
    if (dimension in chosen) return chosen;
    const gain = (value: string) =>
      pairsWithin({ ...chosen, [dimension]: value }).filter((pair) => open.has(nameOf(pair))).length;
    const uses = (value: string) => used.get(textOf({ dimension, value })) ?? 0;
    const [best] = values
      .filter((value) => isPossible({ ...chosen, [dimension]: value }))
      .sort((one, other) => gain(other) - gain(one) || uses(one) - uses(other));
    if (best === undefined) throw new Error(`no value of ${dimension} goes with ${JSON.stringify(chosen)}`);
    return { ...chosen, [dimension]: best };
  }, start);
}

function pairsWithin(one: Case): readonly Pair[] {
  return pairsOf(Object.fromEntries(Object.entries(one).map(([dimension, value]) => [dimension, [value]])));
}

function choicesOf(one: Case): readonly Choice[] {
  return Object.entries(one).map(([dimension, value]) => ({ dimension, value }));
}

/** The same whichever comes first. */
function nameOf({ one, other }: Pair): string {
  return [textOf(one), textOf(other)].sort().join(' ');
}

function textOf({ dimension, value }: Choice): string {
  return `${dimension}=${value}`;
}
