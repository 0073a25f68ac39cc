/** The interval of a share (an accuracy of few items), which stays inside [0, 1]. */
import { type ConfidenceOptions, fail, integer, type Interval, openShare } from "./_check.ts";
import { normalQuantile } from "./_distribution.ts";

/** Wilson's score interval of successes / n, independent items; n = 0 says nothing: [0, 1]. */
export function wilsonInterval(
  successes: number,
  n: number,
  { confidence = 0.95 }: ConfidenceOptions = {},
): Interval {
  const action = "compute a Wilson interval";
  integer(action, n, "n", 0);
  integer(action, successes, "successes", 0);
  if (successes > n) {
    fail(action, `at most n = ${n} successes`, String(successes), "check the counts");
  }
  openShare(action, confidence, "confidence");
  if (n === 0) return [0, 1];
  const z = normalQuantile((1 + confidence) / 2), share = successes / n, scale = 1 + z * z / n;
  const center = (share + z * z / (2 * n)) / scale;
  const half = z / scale * Math.sqrt(share * (1 - share) / n + z * z / (4 * n * n));
  // The ends are 0 and 1 exactly when all fail or all succeed; rounding must not pass them.
  return [successes === 0 ? 0 : center - half, successes === n ? 1 : center + half];
}
