/**
 * How far two distributions over the same options are apart, in nats. Probabilities are checked
 * (not negative, sum within 1e-3 of 1) and divided by their sum.
 */
import { fail, finite, sameLength, type Values } from "./_check.ts";

function distribution(action: string, values: Values): Float64Array {
  const p = finite(action, values, "probabilities"), bad = p.findIndex((value) => value < 0);
  if (bad >= 0) fail(action, "none below 0", `${p[bad]} at index ${bad}`, "apply softmax");
  const sum = p.reduce((total, value) => total + value, 0);
  if (Math.abs(sum - 1) > 1e-3) {
    fail(action, "probabilities that sum to 1 (within 0.001)", `a sum of ${sum}`, "normalize them");
  }
  return p.map((value) => value / sum);
}

/**
 * KL(p || q) in nats: base model first, tuned second (Ren et al. 2024). Infinity where q = 0 < p
 */
export function klDivergence(p: Values, q: Values): number {
  const action = "compute a KL divergence";
  sameLength(action, p, q);
  const a = distribution(action, p), b = distribution(action, q);
  const sum = a.reduce(
    (all, share, i) => share > 0 ? all + share * Math.log(share / b[i]) : all,
    0,
  );
  return Math.max(0, sum); // of equal distributions rounding may leave -1e-17
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
