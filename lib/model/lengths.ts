/** Which lengths rows are padded to, and what of them is computed once. */

/** A row more must spare at least this share of the tokens. */
const WORTH_A_ROW = 0.1;

/** How many tokens all rows start with, at most `most`; each keeps at least one of its own. */
export function commonStart(rows: readonly (readonly number[])[], most = Infinity): number {
  return rows.reduce((shared, row) => {
    let same = 0;
    while (same < Math.min(shared, row.length - 1) && row[same] === rows[0][same]) same++;
    return same;
  }, most);
}

/**
 * What all rows start with, where a batch of `count` rows has clearly fewer tokens if it stands once: no
 * more than half of `least`, the shortest batch's length, for a row has room for no more.
 * @param window tokens that a token sees at most; longer rows share no start
 */
export function worthSharing(
  rows: readonly number[][],
  { count, least, window = Infinity }: { count: number; least: number; window?: number },
): number[] {
  const longest = rows.reduce((most, { length }) => Math.max(most, length), 0);
  if (longest > window) return [];
  const shared = commonStart(rows, least >> 1);
  const isWorth = (count + 1) * (longest - shared) <= (1 - WORTH_A_ROW) * count * longest;
  return isWorth ? rows[0].slice(0, shared) : [];
}

/**
 * At most `count` lengths, ascending, such that rows, each padded to the smallest that fits, have
 * the least padding in all. By dynamic programming over the rows' own lengths.
 */
export function chooseLengths(rows: readonly number[], count: number): number[] {
  const lengths = [...new Set(rows)].sort((a, b) => a - b);
  const upTo: number[] = []; // rows of at most that length
  const byLength = Map.groupBy(rows, (length) => length);
  for (const [i, length] of lengths.entries()) {
    upTo.push((upTo[i - 1] ?? 0) + byLength.get(length)!.length);
  }
  // cost[i]: padded tokens of all rows up to lengths[i], which is one of those chosen.
  let cost = lengths.map((length, i) => length * upTo[i]);
  const before: number[][] = [];
  for (let chosen = 1; chosen < Math.min(count, lengths.length); chosen++) {
    const former: number[] = [];
    cost = lengths.map((length, i) => {
      let least = cost[i];
      former[i] = -1;
      for (let j = 0; j < i; j++) {
        const padded = cost[j] + length * (upTo[i] - upTo[j]);
        if (padded < least) [least, former[i]] = [padded, j];
      }
      return least;
    });
    before.push(former);
  }
  const result = [lengths.length - 1];
  for (const former of before.reverse()) {
    const j = former[result[0]];
    if (j >= 0) result.unshift(j);
  }
  return result.map((i) => lengths[i]);
}
