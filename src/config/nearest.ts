/** The known word that a mistyped one probably means. */

/** The nearest of `known`, or `undefined` when none is near enough to be meant. */
export function nearest(word: string, known: readonly string[]): string | undefined {
  const plain = simplify(word);
  let best: { readonly word: string; readonly distance: number } | undefined;
  const mostDistance = Math.ceil(plain.length / 3);
  for (const candidate of known) {
    const other = simplify(candidate);
    // No fewer edits than that make up for the difference in length: a very long word is not worth comparing.
    if (Math.abs(plain.length - other.length) > mostDistance) continue;
    const distance = editDistance(plain, other);
    if (best === undefined || distance < best.distance) best = { word: candidate, distance };
  }
  return best !== undefined && best.distance <= mostDistance ? best.word : undefined;
}

/** So that `proxyServer` and `Proxy-Server` are no distance from `proxy_server`. */
function simplify(word: string): string {
  return word.toLowerCase().replace(/[-_ ]/g, '');
}

/** Insertions, deletions, replacements and swaps of neighbours (optimal string alignment). */
function editDistance(from: string, to: string): number {
  let beforeLast: number[] = [];
  let last = Array.from({ length: to.length + 1 }, (_, index) => index);
  for (let row = 1; row <= from.length; row++) {
    const current = [row];
    for (let column = 1; column <= to.length; column++) {
      const same = from[row - 1] === to[column - 1];
      const swapped = from[row - 1] === to[column - 2] && from[row - 2] === to[column - 1];
      current[column] = Math.min(
        at(last, column) + 1,
        at(current, column - 1) + 1,
        at(last, column - 1) + (same ? 0 : 1),
        swapped ? at(beforeLast, column - 2) + 1 : Infinity,
      );
    }
    beforeLast = last;
    last = current;
  }
  return at(last, to.length);
}

function at(row: readonly number[], column: number): number {
  return row[column] ?? Infinity;
}
