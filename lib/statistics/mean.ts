/**
 * Means of item scores and how sure they are (Miller 2024, arXiv 2411.00640). Choices: n - 1 in
 * every variance; clusters by the sandwich (CR0, or CR1 with its small-sample factor); intervals by
 * Student's t. What one value (or one cluster) can't tell is NaN, never 0.
 */
import type { ConfidenceOptions, Interval, Labels, Values } from "./_check.ts";
import { clusterIds, fail, finite, openShare } from "./_check.ts";
import { studentQuantile } from "./_distribution.ts";

/** CR0: the plain sandwich. CR1: CR0 times sqrt(G / (G - 1)), for G clusters. */
export type ClusterCorrection = "CR0" | "CR1";

export interface ClusterOptions {
  /** One label per value: values with one label are not independent. @default each value its own */
  clusters?: Labels;
  /** Which clustered standard error; unused without clusters. @default "CR1" */
  correction?: ClusterCorrection;
}

export interface MeanInterval {
  mean: number;
  /** Standard error of the mean. */
  stderr: number;
  /** Degrees of freedom of the t-interval: independent units - 1. */
  df: number;
  interval: Interval;
  /** Values averaged. */
  n: number;
  /** Independent units: clusters, or values when there are none. */
  units: number;
}

/** Two passes, so that the mean of a constant is that constant and its variance exactly 0. */
function meanOf(values: Float64Array): number {
  const first = values.reduce((sum, value) => sum + value, 0) / values.length;
  return first + values.reduce((rest, value) => rest + (value - first), 0) / values.length;
}

/** The arithmetic mean. Throws on an empty array or a value that isn't finite. */
export function mean(values: Values): number {
  return meanOf(finite("compute a mean", values));
}

/** Sum of squared deviations / (n - 1). One value: NaN; a constant: 0. */
export function sampleVariance(values: Values): number {
  const x = finite("compute a sample variance", values);
  if (x.length < 2) return NaN;
  const center = meanOf(x);
  return x.reduce((sum, value) => sum + (value - center) ** 2, 0) / (x.length - 1);
}

/** sqrt(sampleVariance / n). One value: NaN; a constant: 0. */
export function meanStderr(values: Values): number {
  return Math.sqrt(sampleVariance(values) / values.length);
}

/**
 * Standard error of the mean of clustered values: (1/n) sqrt(sum over clusters of the squared sum
 * of deviations) (Miller 2024). One cluster: NaN, since the formula's 0 would say "sure".
 */
export function clusteredStderr(
  values: Values,
  clusters: Labels,
  { correction = "CR0" }: { correction?: ClusterCorrection } = {},
): number {
  const action = "compute a clustered standard error";
  if (correction !== "CR0" && correction !== "CR1") {
    fail(action, `a correction of "CR0" or "CR1"`, String(correction), "set correction");
  }
  const x = finite(action, values);
  const { ids, count } = clusterIds(action, clusters, x.length);
  if (count < 2) return NaN;
  const center = meanOf(x);
  const sums = new Float64Array(count);
  for (let i = 0; i < x.length; i++) sums[ids[i]] += x[i] - center;
  const largest = x.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
  const stderr = Math.sqrt(sums.reduce((total, sum) => total + sum * sum, 0)) / x.length;
  // Clusters with one mean leave rounding noise where the truth is 0.
  if (stderr <= 1e-14 * largest) return 0;
  return correction === "CR1" ? stderr * Math.sqrt(count / (count - 1)) : stderr;
}

/**
 * The mean of independent units (worlds, seeds, items) with its t-interval. With `clusters`, the
 * clustered standard error and (clusters - 1) degrees of freedom. One unit: stderr and interval
 * NaN. A constant: [mean, mean].
 */
export function meanInterval(
  values: Values,
  { confidence = 0.95, clusters, correction = "CR1" }: ConfidenceOptions & ClusterOptions = {},
): MeanInterval {
  const action = "compute the interval of a mean";
  openShare(action, confidence, "confidence");
  const x = finite(action, values);
  const units = clusterIds(action, clusters, x.length).count;
  const center = meanOf(x);
  const stderr = clusters ? clusteredStderr(x, clusters, { correction }) : meanStderr(x);
  const half = stderr === 0 ? 0 : stderr * studentQuantile((1 + confidence) / 2, units - 1);
  const interval: Interval = [center - half, center + half];
  return { mean: center, stderr, df: units - 1, interval, n: x.length, units };
}
