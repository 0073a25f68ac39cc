/** Where the spread of scores comes from: clusters, or items and seeds; by analysis of variance. */
import { atLeast, clusterIds, fail, finite, type Labels, type Values } from "./_check.ts";
import { mean } from "./mean.ts";

/**
 * ICC(1), one-way random effects: (MSB - MSW) / (MSB + (m - 1) MSW), with m0 = (n - sum m_c^2 / n)
 * / (G - 1) for m when clusters differ in size. NaN: one cluster, every value a cluster, or all
 * values equal.
 */
export function intraclassCorrelation(values: Values, clusters: Labels): number {
  const action = "compute an intraclass correlation";
  const x = finite(action, values), n = x.length;
  const { ids, count } = clusterIds(action, clusters, n);
  if (count < 2 || count === n) return NaN;
  const grand = mean(x);
  const sizes = new Float64Array(count), sums = new Float64Array(count);
  for (let i = 0; i < n; i++) {
    sizes[ids[i]]++;
    sums[ids[i]] += x[i] - grand;
  }
  let between = 0, within = 0, squaredSizes = 0;
  for (let c = 0; c < count; c++) {
    between += sums[c] ** 2 / sizes[c];
    squaredSizes += sizes[c] ** 2;
  }
  for (let i = 0; i < n; i++) within += (x[i] - grand - sums[ids[i]] / sizes[ids[i]]) ** 2;
  const size = (n - squaredSizes / n) / (count - 1);
  const msBetween = between / (count - 1), msWithin = within / (n - count);
  const total = msBetween + (size - 1) * msWithin;
  return total === 0 ? NaN : (msBetween - msWithin) / total;
}

/** DEFF = 1 + (m - 1) ICC: how many times a mean's variance grows by clusters of m (Kish). */
export function designEffect(clusterSize: number, correlation: number): number {
  const action = "compute a design effect";
  atLeast(action, clusterSize, "clusterSize", 1);
  if (!(correlation >= -1 && correlation <= 1)) {
    fail(action, "a correlation in [-1, 1]", String(correlation), "use intraclassCorrelation");
  }
  return 1 + (clusterSize - 1) * correlation;
}

export interface VarianceComponents {
  /** Variance between items (some are harder). */
  items: number;
  /** Variance between seeds (some runs are better). */
  seeds: number;
  /** What is left: item x seed and noise. */
  residual: number;
  /** Standard error of the grand mean for new items and new seeds. */
  meanStderr: number;
  mean: number;
}

/**
 * Two-way random effects without replication, `scores[item][seed]`, by mean squares; a negative
 * component stands as 0 unless `truncate` is false. Fewer than two items or seeds: NaN.
 */
export function varianceComponents(
  scores: readonly Values[],
  { truncate = true }: { truncate?: boolean } = {},
): VarianceComponents {
  const action = "compute variance components";
  const rows = Array.from(scores, (row) => finite(action, row, "scores"));
  const n = rows.length, k = rows[0]?.length ?? 0;
  if (n === 0) fail(action, "a row of scores per item", "none", "give scores[item][seed]");
  const odd = rows.findIndex((row) => row.length !== k);
  if (odd >= 0) {
    fail(action, `${k} seeds for every item`, `${rows[odd].length} in row ${odd}`, "fill it up");
  }
  const itemMeans = rows.map(mean);
  const seedMeans = Array.from({ length: k }, (_, j) => mean(rows.map((row) => row[j])));
  const grand = mean(itemMeans);
  const none = { items: NaN, seeds: NaN, residual: NaN, meanStderr: NaN, mean: grand };
  if (n < 2 || k < 2) return none;
  const squares = (means: number[]) => means.reduce((sum, m) => sum + (m - grand) ** 2, 0);
  const msItems = k * squares(itemMeans) / (n - 1), msSeeds = n * squares(seedMeans) / (k - 1);
  let left = 0;
  for (let i = 0; i < n; i++) {
    for (let j = 0; j < k; j++) left += (rows[i][j] - itemMeans[i] - seedMeans[j] + grand) ** 2;
  }
  const residual = left / ((n - 1) * (k - 1));
  const bound = (value: number) => truncate ? Math.max(0, value) : value;
  const items = bound((msItems - residual) / k), seeds = bound((msSeeds - residual) / n);
  const meanStderr = Math.sqrt(Math.max(0, items / n + seeds / k + residual / (n * k)));
  return { items, seeds, residual, meanStderr, mean: grand };
}
