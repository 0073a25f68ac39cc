/**
 * How far two distributions over the same options are apart, in nats. Probabilities are checked
 * (not negative, a sum of 1 within `SUM_TOLERANCE`) and divided by their sum.
 */
import { fail, finite, sameLength, SUM_TOLERANCE, type Values } from "./_check.ts";

function distribution(action: string, values: Values): Float64Array {
  const p = finite(action, values, "probabilities"), bad = p.findIndex((value) => value < 0);
  if (bad >= 0) fail(action, "none below 0", `${p[bad]} at index ${bad}`, "apply softmax");
  const sum = p.reduce((total, value) => total + value, 0);
  if (Math.abs(sum - 1) > SUM_TOLERANCE) {
    const expected = `probabilities that sum to 1 (within ${SUM_TOLERANCE})`;
    fail(action, expected, `a sum of ${sum}`, "normalize them");
  }
  return p.map((value) => value / sum);
}

function pairOf(action: string, p: Values, q: Values): [Float64Array, Float64Array] {
  sameLength(action, p, q);
  return [distribution(action, p), distribution(action, q)];
}

function divergence(p: Float64Array, q: Float64Array): number {
  const sum = p.reduce(
    (all, share, i) => share > 0 ? all + share * Math.log(share / q[i]) : all,
    0,
  );
  // Of equal distributions rounding may leave -1e-17.
  return Math.max(0, sum);
}

/** KL(p || q) in nats: base model first, tuned second (Ren et al. 2024). Infinity where q = 0 < p */
export function klDivergence(p: Values, q: Values): number {
  return divergence(...pairOf("compute a KL divergence", p, q));
}

/** Jensen-Shannon divergence in nats: symmetric, in [0, ln 2]; not its root, the distance. */
export function jensenShannonDivergence(p: Values, q: Values): number {
  const [a, b] = pairOf("compute a Jensen-Shannon divergence", p, q);
  const middle = a.map((value, i) => (value + b[i]) / 2);
  return (divergence(a, middle) + divergence(b, middle)) / 2;
}

/** Entropy in nats: 0 for a sure answer, ln n for n equal options. */
export function entropy(p: Values): number {
  const shares = distribution("compute an entropy", p);
  const sum = shares.reduce((all, share) => share > 0 ? all - share * Math.log(share) : all, 0);
  return Math.max(0, sum);
}

/** Cosine of the angle between two vectors, in [-1, 1]; 0 when one of them is all zeros. */
export function cosineSimilarity(p: Values, q: Values): number {
  const action = "compute a cosine similarity";
  const a = finite(action, p), b = finite(action, q);
  sameLength(action, a, b);
  const [largestA, largestB] = [a, b].map((vector) =>
    vector.reduce((most, value) => Math.max(most, Math.abs(value)), 0)
  );
  if (largestA === 0 || largestB === 0) return 0;
  let product = 0, squaresA = 0, squaresB = 0;
  for (let i = 0; i < a.length; i++) {
    // Scaled by the largest, so that no square leaves the range of a double.
    const x = a[i] / largestA, y = b[i] / largestB;
    product += x * y;
    squaresA += x * x;
    squaresB += y * y;
  }
  return Math.max(-1, Math.min(1, product / Math.sqrt(squaresA) / Math.sqrt(squaresB)));
}
