/** Ranks, from 1; and the consistency of two rankings in Ren et al. 2024, of the same options. */
import { fail, finite, finitePair, type Values } from "./_check.ts";
import { correlationCoefficient } from "./_linear.ts";

/**
 * How ties share ranks, on [10, 20, 20, 30]: average 1, 2.5, 2.5, 4; min 1, 2, 2, 4; max 1, 3, 3,
 * 4; dense 1, 2, 2, 3; ordinal 1, 2, 3, 4 (in the order given).
 */
const METHODS = ["average", "dense", "min", "max", "ordinal"] as const;
export type RankMethod = typeof METHODS[number];

export interface RankOptions {
  /** @default "average" */
  method?: RankMethod;
  /** Rank 1 for the largest value instead of the smallest. @default false */
  descending?: boolean;
}

/** Ranks of finite numbers, values within `tolerance` of the one before them counting as ties. */
export function rankColumn(
  values: Float64Array,
  { method = "average", descending = false, tolerance = 0 }: RankOptions & { tolerance?: number },
): Float64Array {
  const n = values.length, sign = descending ? -1 : 1;
  const order = Array.from(values.keys()).sort((i, j) => sign * (values[i] - values[j]) || i - j);
  const ranks = new Float64Array(n);
  for (let start = 0, group = 1; start < n; group++) {
    let end = start + 1;
    while (end < n && Math.abs(values[order[end]] - values[order[end - 1]]) <= tolerance) end++;
    const shared = { average: (start + 1 + end) / 2, min: start + 1, max: end, dense: group };
    for (let place = start; place < end; place++) {
      ranks[order[place]] = method === "ordinal" ? place + 1 : shared[method];
    }
    start = end;
  }
  return ranks;
}

/** The rank of every value; only equal numbers tie. Throws on an empty array or no number. */
export function rankData(values: Values, options: RankOptions = {}): number[] {
  const action = "rank values";
  const { method = "average" } = options;
  if (!METHODS.includes(method)) {
    fail(action, `a method of ${METHODS.join(", ")}`, String(method), "set method");
  }
  return Array.from(rankColumn(finite(action, values), options));
}

/**
 * Consistency of knowledge before and after fine-tuning (Ren et al. 2024): Pearson correlation of the
 * dense descending ranks of one item's option probabilities. In [-1, 1]; 0 where it is undefined.
 */
export function rankConsistency(before: Values, after: Values): number {
  const [p, q] = finitePair("compare the ranks of options", before, after);
  const dense = { method: "dense", descending: true } as const;
  const r = correlationCoefficient(rankColumn(p, dense), rankColumn(q, dense));
  return Number.isNaN(r) ? 0 : r;
}
