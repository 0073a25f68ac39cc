/**
 * How small a difference of two models n items can show (Miller 2024):
 * n = (z_{a/2} + z_b)^2 (w^2 + sA^2/KA + sB^2/KB) / delta^2.
 */
import { atLeast, openShare } from "./_check.ts";
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

/** The smallest difference that n items (or clusters) find with the given power, in their units. */
export function minimumDetectableEffect(
  { n, differenceVariance, varianceA = 0, varianceB = 0, ...options }: PowerOptions & { n: number },
): number {
  const action = "compute a minimum detectable effect";
  const { samplesA = 1, samplesB = 1, alpha = 0.05, power = 0.8 } = options;
  const variances = { differenceVariance, varianceA, varianceB };
  const counts = { n, samplesA, samplesB };
  for (const [name, share] of Object.entries({ alpha, power })) openShare(action, share, name);
  for (const [name, value] of Object.entries(variances)) atLeast(action, value, name, 0);
  for (const [name, value] of Object.entries(counts)) atLeast(action, value, name, 1);
  const z = normalQuantile(1 - alpha / 2) + normalQuantile(power);
  const variance = differenceVariance + varianceA / samplesA + varianceB / samplesB;
  return Math.sqrt(z * z * variance / n);
}
