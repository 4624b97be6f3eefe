/** Which known word a mistyped one was probably meant to be. */

/** Of `candidates` the one with the fewest edits, or `undefined` when none is close enough to be worth naming. */
export function nearest(word: string, candidates: Iterable<string>): string | undefined {
  let best: string | undefined;
  const lower = word.toLowerCase();
  // More than a third of the letters wrong is another word, not a typing error.
  let limit = Math.max(word.length < 4 ? 1 : 2, Math.floor(word.length / 3)) + 1;
  for (const candidate of candidates) {
    if (Math.abs(candidate.length - word.length) >= limit) continue; // so many edits it needs at least
    const distance = editDistance(lower, candidate.toLowerCase(), limit);
    if (distance < limit) {
      limit = distance;
      best = candidate;
    }
  }
  return best;
}

/** ` (did you mean X?)`, or nothing. */
export function suggestion(word: string, candidates: Iterable<string>, format = (found: string) => found): string {
  const found = nearest(word, candidates);
  return found === undefined ? "" : ` (did you mean ${format(found)}?)`;
}

/** Levenshtein distance: insertions, deletions and replacements. Infinity as soon as it cannot be below `limit`. */
export function editDistance(left: string, right: string, limit = Number.POSITIVE_INFINITY): number {
  let above = Array.from({ length: right.length + 1 }, (_, i) => i);
  for (let i = 1; i <= left.length; i++) {
    const row = [i];
    for (let j = 1; j <= right.length; j++) {
      const replaced = (above[j - 1] ?? 0) + (left[i - 1] === right[j - 1] ? 0 : 1);
      row.push(Math.min(replaced, (above[j] ?? 0) + 1, (row[j - 1] ?? 0) + 1));
    }
    if (Math.min(...row) >= limit) return Number.POSITIVE_INFINITY;
    above = row;
  }
  return above[right.length] ?? 0;
}
