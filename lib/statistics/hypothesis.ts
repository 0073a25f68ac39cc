/**
 * Tests of one mean and of two models on the same items. Choices: pairs are kept; permutation tests
 * are exact when that takes no more sign patterns than asked for; Monte Carlo p counts the observed
 * pattern, so it is never 0.
 */
import type { ConfidenceOptions, Labels, Values } from "./_check.ts";
import { clusterIds, fail, finite, finitePair, integer } from "./_check.ts";
import { chiSquareTail, studentTwoSided } from "./_distribution.ts";
import { type ClusterOptions, type MeanInterval, meanInterval, meanStderr } from "./mean.ts";
import { correlationCoefficient } from "./_linear.ts";
import { Random } from "./random.ts";

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

export interface PermutationOptions {
  /** Sign patterns to draw; all of them are taken when there are no more. @default 10000 */
  resamples?: number;
  /** Seed of the drawn patterns. @default 0 */
  seed?: number | string;
  /** Values with one label change sign together. @default each value its own */
  clusters?: Labels;
}

/**
 * Permutation test of mean(a - b) = 0: a and b of an item (or of a cluster) may change places.
 * Two-sided: p = share of sign patterns at least as extreme. No difference at all: p 1.
 */
export function pairedPermutationTest(
  a: Values,
  b: Values,
  options: PermutationOptions = {},
): { difference: number; p: number; exact: boolean; patterns: number } {
  const action = "run a permutation test";
  const { resamples = 10_000, seed = 0, clusters } = options;
  const [x, y] = finitePair(action, a, b);
  integer(action, resamples, "resamples", 1);
  const { ids, count } = clusterIds(action, clusters, x.length);
  const sums = new Float64Array(count);
  for (let i = 0; i < x.length; i++) sums[ids[i]] += x[i] - y[i];
  // A unit without a difference has no sign to change.
  const units = sums.filter((sum) => sum !== 0);
  const observed = units.reduce((total, value) => total + value, 0);
  const tolerance = 1e-12 * units.reduce((total, value) => total + Math.abs(value), 0);
  const difference = observed / x.length;
  const exact = 2 ** units.length <= resamples;
  const patterns = exact ? 2 ** units.length : resamples;
  let hits = 0;
  const words = new Uint32Array(Math.ceil(units.length / 32));
  const random = new Random(seed).fork("permutation");
  for (let pattern = 0; pattern < patterns; pattern++) {
    if (exact && words.length) words[0] = pattern;
    else random.fill(words);
    let flipped = 0;
    for (let i = 0; i < units.length; i++) flipped += units[i] * ((words[i >> 5] >>> (i & 31)) & 1);
    if (Math.abs(observed - 2 * flipped) >= Math.abs(observed) - tolerance) hits++;
  }
  return { difference, p: exact ? hits / patterns : (hits + 1) / (patterns + 1), exact, patterns };
}

function checkPs(action: string, p: Values): Float64Array {
  const checked = finite(action, p, "p values");
  const bad = checked.findIndex((value) => value < 0 || value > 1);
  if (bad >= 0) fail(action, "p in [0, 1]", `${checked[bad]} at index ${bad}`, "give p values");
  return checked;
}

const order = (p: Float64Array) => Array.from(p.keys()).sort((i, j) => p[i] - p[j]);

/** Holm's adjusted p values (family-wise error), in the order given. */
export function holm(p: Values): number[] {
  const checked = checkPs("adjust p values by Holm", p);
  const adjusted = new Array<number>(checked.length);
  let running = 0;
  order(checked).forEach((index, rank) => {
    running = Math.max(running, Math.min(1, (checked.length - rank) * checked[index]));
    adjusted[index] = running;
  });
  return adjusted;
}

/** Benjamini and Hochberg's adjusted p values (false discovery rate), in the order given. */
export function benjaminiHochberg(p: Values): number[] {
  const checked = checkPs("adjust p values by Benjamini-Hochberg", p);
  const n = checked.length, adjusted = new Array<number>(n);
  let running = 1;
  order(checked).reverse().forEach((index, fromTop) => {
    running = Math.min(running, checked[index] * n / (n - fromTop));
    adjusted[index] = running;
  });
  return adjusted;
}
