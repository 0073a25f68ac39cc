/**
 * Tails and quantiles of the normal, Student's t and chi-square distributions, from jStat, which is
 * good to 7 digits and has no far tails: its beta fraction, the far tail and the last Newton steps
 * are done here.
 */
import jstat from "jstat";

/** What is used of jStat, which ships no types. */
interface JStat {
  normal: { inv(p: number, mean: number, deviation: number): number };
  studentt: { inv(p: number, df: number): number };
  erf(x: number): number;
  gammaln(x: number): number;
}

const { jStat } = jstat as unknown as { jStat: JStat };

/** P(Z > z) of a standard normal, to about 1e-14 relative in both tails. */
export function normalTail(z: number): number {
  if (Number.isNaN(z)) return NaN;
  if (z === 0) return 0.5;
  if (z < 3) return 0.5 * (1 - jStat.erf(z / Math.SQRT2));
  if (z > 39) return 0;
  // Mills' ratio as a continued fraction: 1 / (z + 1 / (z + 2 / (z + ...))).
  let fraction = z;
  for (let k = 120; k >= 1; k--) fraction = z + k / fraction;
  return Math.exp(-z * z / 2) / Math.sqrt(2 * Math.PI) / fraction;
}

/** P(Z <= z) of a standard normal. */
export const normalCumulative = (z: number) => normalTail(-z);

/** The z with P(Z <= z) = p, to 12 digits from 1e-6 on; -Infinity at 0 and Infinity at 1. */
export function normalQuantile(p: number): number {
  if (p <= 0) return -Infinity;
  return p >= 1 ? Infinity : jStat.normal.inv(p, 0, 1);
}

/** The regularized incomplete beta I_x(a, b), y = 1 - x given apart so that it keeps its digits. */
function incompleteBeta(x: number, y: number, a: number, b: number): number {
  if (x <= 0) return 0;
  if (y <= 0) return 1;
  if (x > (a + 1) / (a + b + 2)) return 1 - incompleteBeta(y, x, b, a);
  const front = Math.exp(
    jStat.gammaln(a + b) - jStat.gammaln(a) - jStat.gammaln(b) + a * Math.log(x) + b * Math.log(y),
  ) / a;
  // Modified Lentz, run until it stands still.
  const tiny = 1e-300;
  const away = (value: number) => Math.abs(value) < tiny ? tiny : value;
  let c = 1, d = 1 / away(1 - (a + b) * x / (a + 1)), fraction = d;
  for (let m = 1; m <= 10_000; m++) {
    const even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m));
    d = 1 / away(1 + even * d);
    c = away(1 + even / c);
    fraction *= d * c;
    const odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1));
    d = 1 / away(1 + odd * d);
    c = away(1 + odd / c);
    fraction *= d * c;
    if (Math.abs(d * c - 1) < 1e-15) break;
  }
  return front * fraction;
}

/** P(|T| > |t|) of Student's t; NaN when t is NaN or there is no degree of freedom. */
export function studentTwoSided(t: number, df: number): number {
  if (Number.isNaN(t) || !(df > 0)) return NaN;
  if (!Number.isFinite(t)) return 0;
  const square = t * t;
  return incompleteBeta(df / (df + square), square / (df + square), df / 2, 0.5);
}

/** The t with P(T <= t) = p, for p from .5 to 1; NaN without a degree of freedom. */
export function studentQuantile(p: number, df: number): number {
  if (!(df > 0)) return NaN;
  let t = jStat.studentt.inv(p, df);
  const constant = jStat.gammaln((df + 1) / 2) - jStat.gammaln(df / 2) -
    Math.log(df * Math.PI) / 2;
  for (let i = 0; i < 20; i++) {
    const density = Math.exp(constant - (df + 1) / 2 * Math.log1p(t * t / df));
    const step = (1 - p - studentTwoSided(t, df) / 2) / density;
    t -= step;
    if (Math.abs(step) <= 1e-14 * Math.abs(t)) break;
  }
  return t;
}

/** P(X > x) of a chi-square with one degree of freedom. */
export const chiSquareTail = (x: number) => Math.min(1, 2 * normalTail(Math.sqrt(x)));
