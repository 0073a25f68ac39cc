/**
 * How many items show a difference of two models, and how small a difference n items can show
 * (Miller 2024): n = (z_{a/2} + z_b)^2 (w^2 + sA^2/KA + sB^2/KB) / delta^2.
 */
import { atLeast, fail, openShare } from "./_check.ts";
import { normalQuantile } from "./_distribution.ts";

export interface PowerOptions {
  /** w^2: variance over items of the difference of the two models' expected scores. */
  differenceVariance: number;
  /** sA^2: mean variance within an item of model A's score (sampling, seeds). @default 0 */
  varianceA?: number;
  /** sB^2, of model B. @default 0 */
  varianceB?: number;
  /** KA: answers drawn per item from model A. @default 1 */
  samplesA?: number;
  /** KB, from model B. @default 1 */
  samplesB?: number;
  /** Two-sided level of the test. @default 0.05 */
  alpha?: number;
  /** Chance to find the difference if it is there. @default 0.8 */
  power?: number;
}

/** (z_{a/2} + z_b)^2 times the variance of one item's difference. */
function numerator(action: string, options: PowerOptions): number {
  const { differenceVariance, varianceA = 0, varianceB = 0, samplesA = 1, samplesB = 1 } = options;
  const { alpha = 0.05, power = 0.8 } = options;
  const variances = { differenceVariance, varianceA, varianceB }, samples = { samplesA, samplesB };
  for (const [name, share] of Object.entries({ alpha, power })) openShare(action, share, name);
  for (const [name, value] of Object.entries(variances)) atLeast(action, value, name, 0);
  for (const [name, value] of Object.entries(samples)) atLeast(action, value, name, 1);
  const z = normalQuantile(1 - alpha / 2) + normalQuantile(power);
  return z * z * (differenceVariance + varianceA / samplesA + varianceB / samplesB);
}

/** Items needed to find `effect` (a share, such as .03 for 3 points); not rounded. */
export function requiredSampleSize(
  { effect, ...options }: PowerOptions & { effect: number },
): number {
  const action = "compute a sample size";
  if (!Number.isFinite(effect) || effect === 0) {
    fail(action, "an effect other than 0", String(effect), "set effect");
  }
  return numerator(action, options) / (effect * effect);
}

/** The smallest difference that n items (or clusters) find with the given power, in their units. */
export function minimumDetectableEffect({ n, ...options }: PowerOptions & { n: number }): number {
  const action = "compute a minimum detectable effect";
  atLeast(action, n, "n", 1);
  return Math.sqrt(numerator(action, options) / n);
}
