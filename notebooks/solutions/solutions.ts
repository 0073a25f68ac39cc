/**
 * Solutions of the notebooks' exercises, by the name of their check, for lecturers. A solution can be
 * pasted into its exercise's cell as it stands here. test/unit/exercise.test.ts runs them all.
 */
import type { Answer, world } from "../../lib/mod.ts";

/** 00, exercise 1: 1.96 · √(0.6 · 0.4 / n) = 0.03, so n = (1.96 / 0.03)² · 0.24. */
export const questionsNeeded = 1025;

/** 01, exercise 1. */
export const perfectReader = (s: world.WorldSettings) => s.known + s.unknown / s.options;

/** 02, exercise 1. */
export function calibrationError(probabilities: number[], right: boolean[]) {
  const bins = Array.from({ length: 10 }, () => ({ n: 0, sum: 0, right: 0 }));
  probabilities.forEach((p, i) => {
    const bin = bins[Math.min(9, Math.floor(10 * p))];
    bin.n++;
    bin.sum += p;
    if (right[i]) bin.right++;
  });
  // n times the distance of the two means is the distance of the two sums.
  return bins.reduce((all, bin) => all + Math.abs(bin.right - bin.sum), 0) / probabilities.length;
}

/** 03, exercise 1. */
export function groupOf({ predictedProbability, correct }: Answer) {
  if (predictedProbability <= 0.5) return "neither";
  return correct ? "HAR" : "INC";
}

/** 04, exercise 1. */
export function mask(tokens: string[], ids: number[]) {
  let speaks = false;
  return tokens.map((token, i) => {
    const label = speaks ? ids[i] : -100;
    if (token === "ASSISTANT:") speaks = true;
    if (token === "</s>") speaks = false;
    return label;
  });
}

/** 04, exercise 2. */
export function shiftedLoss(logProbabilities: number[][], labels: number[]) {
  let sum = 0, n = 0;
  for (let t = 1; t < labels.length; t++) {
    if (labels[t] === -100) continue;
    sum -= logProbabilities[t - 1][labels[t]];
    n++;
  }
  return sum / n;
}

/** 05, exercise 1. */
export const kl = (p: number[], q: number[]) =>
  p.reduce((sum, value, i) => value > 0 ? sum + value * Math.log(value / q[i]) : sum, 0);

/** 05, exercise 2. */
export function pairedDifference(first: boolean[], second: boolean[]) {
  const n = first.length;
  const differences = first.map((right, i) => 100 * (Number(right) - Number(second[i])));
  const mean = differences.reduce((a, b) => a + b, 0) / n;
  const variance = differences.reduce((sum, d) => sum + (d - mean) ** 2, 0) / (n - 1);
  return [mean, Math.sqrt(variance / n)];
}

/** 06, exercise 1. */
export const mix = (inc: string[], self: string[], ratio: number) =>
  inc.map((gold, i) => i < Math.round(ratio * inc.length) ? self[i] : gold);

/** 07, exercise 1. */
export const control = ({ choices, answer, predicted }: Answer) =>
  choices.findIndex((_, i) => i !== answer && i !== predicted);

/** 08, exercise 1. */
export function rankConsistency(p: number[], q: number[]) {
  // Dense ranks: how many different probabilities are larger, and one more.
  const ranks = (x: number[]) =>
    x.map((value) => 1 + new Set(x.filter((other) => other > value)).size);
  const centred = (x: number[]) => x.map((value) => value - x.reduce((a, b) => a + b) / x.length);
  const dot = (a: number[], b: number[]) => a.reduce((sum, value, i) => sum + value * b[i], 0);
  const [a, b] = [p, q].map((x) => centred(ranks(x)));
  return dot(a, b) / Math.sqrt(dot(a, a) * dot(b, b)) || 0;
}

/** 09, exercise 1. */
export function perToken(options: number[][]) {
  const scores = options.map((tokens) => tokens.reduce((a, b) => a + b, 0) / tokens.length);
  const weights = scores.map(Math.exp);
  const sum = weights.reduce((a, b) => a + b, 0);
  return weights.map((weight) => weight / sum);
}

/** 10, exercise 1. */
export function schedule(step: number, steps: number, warmup: number) {
  if (step < warmup) return step / warmup;
  return 0.5 * (1 + Math.cos(Math.PI * (step - warmup) / (steps - warmup)));
}
