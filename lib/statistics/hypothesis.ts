/** Tests of one mean and of two models on the same items, whose pairs are kept; Holm's correction. */
import {
  type ConfidenceOptions,
  fail,
  finite,
  finitePair,
  integer,
  type Values,
} from "./_check.ts";
import { chiSquareTail, studentTwoSided } from "./_distribution.ts";
import { type ClusterOptions, type MeanInterval, meanInterval, meanStderr } from "./mean.ts";
import { correlationCoefficient } from "./_linear.ts";

export interface TTest extends MeanInterval {
  /** mean / stderr; 0 when both are 0, +-Infinity for another constant. */
  t: number;
  /** Two-sided. */
  p: number;
}

/**
 * One-sample t test of a mean of 0, clustered when `clusters` are given. Values all 0: t 0, p 1;
 * another constant: p 0; one unit: t and p NaN.
 */
export function tTest(values: Values, options: ConfidenceOptions & ClusterOptions = {}): TTest {
  const result = meanInterval(values, options);
  const { mean, stderr, df } = result;
  const t = mean === 0 && stderr === 0 ? 0 : mean / stderr;
  return { ...result, t, p: studentTwoSided(t, df) };
}

export interface PairedDifference extends TTest {
  /** mean(a) - mean(b); the same number as `mean`. */
  difference: number;
  /** What the standard error would be if the pairs were not used. */
  unpairedStderr: number;
  /** Pearson correlation of the two score lists; NaN when one is constant. */
  correlation: number;
}

/** a - b over the same items (Miller 2024): a t test of the item differences, as `tTest`. */
export function pairedDifference(
  a: Values,
  b: Values,
  options: ConfidenceOptions & ClusterOptions = {},
): PairedDifference {
  const [x, y] = finitePair("compare paired values", a, b);
  const test = tTest(x.map((value, i) => value - y[i]), options);
  return {
    ...test,
    difference: test.mean,
    unpairedStderr: Math.hypot(meanStderr(x), meanStderr(y)),
    correlation: correlationCoefficient(x, y),
  };
}

/**
 * McNemar's test of two paired proportions from their table [[both right, only a right], [only b
 * right, both wrong]]. Only items on which the two disagree count; with none, p is 1.
 */
export function mcnemarTest(
  table: readonly (readonly number[])[],
  { exact = true, correction = true }: {
    /** The binomial p (statistic: the smaller count) rather than chi-square's. @default true */
    exact?: boolean;
    /** Continuity correction of the chi-square. @default true */
    correction?: boolean;
  } = {},
): { statistic: number; p: number } {
  const action = "run McNemar's test";
  if (table?.length !== 2 || table.some((row) => row?.length !== 2)) {
    const mend = "count [[both right, only a], [only b, both wrong]]";
    fail(action, "a 2 x 2 table of counts", `${table?.length} rows`, mend);
  }
  table.flat().forEach((count) => integer(action, count, "each count", 0));
  const only = table[0][1], other = table[1][0], total = only + other;
  if (exact) {
    const smaller = Math.min(only, other);
    // Binomial terms by their logarithms: 2^-total underflows for large counts.
    let logTerm = -total * Math.LN2, sum = Math.exp(logTerm);
    for (let k = 1; k <= smaller; k++) {
      logTerm += Math.log((total - k + 1) / k);
      sum += Math.exp(logTerm);
    }
    return { statistic: smaller, p: Math.min(1, 2 * sum) };
  }
  const gap = Math.max(0, Math.abs(only - other) - (correction ? 1 : 0));
  const statistic = total === 0 ? 0 : gap * gap / total;
  return { statistic, p: chiSquareTail(statistic) };
}

/** Holm's adjusted p values (family-wise error), in the order given. */
export function holm(p: Values): number[] {
  const action = "adjust p values by Holm", checked = finite(action, p, "p values");
  const bad = checked.findIndex((value) => value < 0 || value > 1);
  if (bad >= 0) fail(action, "p in [0, 1]", `${checked[bad]} at index ${bad}`, "give p values");
  const adjusted = new Array<number>(checked.length);
  let running = 0;
  [...checked.keys()].sort((i, j) => checked[i] - checked[j]).forEach((index, rank) => {
    running = Math.max(running, Math.min(1, (checked.length - rank) * checked[index]));
    adjusted[index] = running;
  });
  return adjusted;
}
