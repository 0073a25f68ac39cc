/**
 * Correlations, plain and with controls. Choices: p by Student's t with n - 2 - k degrees of freedom and
 * the interval by Fisher's z with n - k - 3, for ranks as for values (k = rank of the controls).
 * Undefined (a constant side, a side that the controls explain wholly): r, p and interval NaN. No degree
 * of freedom: p NaN. n - k < 4: the interval is [-1, 1], for nothing is known.
 */
import type { ConfidenceOptions, Interval, Values } from "./_check.ts";
import { atLeast, fail, finite, finitePair, integer, openShare } from "./_check.ts";
import { normalQuantile, normalTail, studentTwoSided } from "./_distribution.ts";
import { correlationCoefficient, residuals } from "./_linear.ts";
import { rankColumn } from "./rank.ts";

export interface Correlation {
  r: number;
  /** Two-sided p of r = 0. */
  p: number;
  df: number;
  interval: Interval;
  n: number;
}

export interface PartialOptions extends ConfidenceOptions {
  /** Of the values, or of their average ranks. @default "pearson" */
  method?: "pearson" | "spearman";
}

/**
 * Fisher's interval of a correlation: tanh(atanh r +- z / sqrt(n - controls - 3)). [-1, 1] when
 * n - controls < 4; [r, r] at r = +-1; NaN for an undefined r.
 */
export function fisherInterval(
  r: number,
  n: number,
  { confidence = 0.95, controls = 0 }: ConfidenceOptions & {
    /** Variables held constant. @default 0 */
    controls?: number;
  } = {},
): Interval {
  const action = "compute Fisher's interval of a correlation";
  openShare(action, confidence, "confidence");
  integer(action, n, "n", 1);
  atLeast(action, controls, "controls", 0);
  if (Number.isNaN(r)) return [NaN, NaN];
  if (Math.abs(r) > 1) fail(action, "r in [-1, 1]", String(r), "give a correlation");
  if (n - controls < 4) return [-1, 1];
  if (Math.abs(r) === 1) return [r, r];
  const half = normalQuantile((1 + confidence) / 2) / Math.sqrt(n - controls - 3);
  return [Math.tanh(Math.atanh(r) - half), Math.tanh(Math.atanh(r) + half)];
}

function describe(
  x: Float64Array,
  y: Float64Array,
  options: ConfidenceOptions & { controls?: number },
): Correlation {
  const r = correlationCoefficient(x, y), n = x.length, df = n - 2 - (options.controls ?? 0);
  const t = r * Math.sqrt(df / (1 - r * r));
  const interval = fisherInterval(r, n, options);
  return { r, p: df > 0 ? studentTwoSided(t, df) : NaN, df, interval, n };
}

const average = (column: Float64Array): Float64Array => rankColumn(column, {});

export function pearson(x: Values, y: Values, options: ConfidenceOptions = {}): Correlation {
  return describe(...finitePair("compute Pearson's correlation", x, y), options);
}

/** Spearman's rho: Pearson's r of the average ranks. */
export function spearman(x: Values, y: Values, options: ConfidenceOptions = {}): Correlation {
  const [a, b] = finitePair("compute Spearman's correlation", x, y);
  return describe(average(a), average(b), options);
}

/** Ties of one side, as the variance of Kendall's statistic needs them. */
function ties(column: Float64Array): { pairs: number; triples: number; weighted: number } {
  const counts = new Map<number, number>();
  for (const value of column) counts.set(value, (counts.get(value) ?? 0) + 1);
  const result = { pairs: 0, triples: 0, weighted: 0 };
  for (const c of counts.values()) {
    result.pairs += c * (c - 1) / 2;
    result.triples += c * (c - 1) * (c - 2);
    result.weighted += c * (c - 1) * (2 * c + 5);
  }
  return result;
}

/** Chance that a random order of n has at most `most` inversions. */
function inversionCumulative(n: number, most: number): number {
  let chances = [1];
  for (let size = 2; size <= n; size++) {
    const next = new Array<number>(Math.min(most + 1, size * (size - 1) / 2 + 1)).fill(0);
    for (let k = 0; k < next.length; k++) {
      for (let j = Math.max(0, k - size + 1); j <= Math.min(k, chances.length - 1); j++) {
        next[k] += chances[j] / size;
      }
    }
    chances = next;
  }
  return chances.reduce((sum, chance) => sum + chance, 0);
}

/**
 * Kendall's tau-b. p is exact without ties up to n = 33, else by the normal approximation with
 * ties. A constant side: tau and p NaN. Compares every two items: n^2 / 2 steps.
 */
export function kendall(
  x: Values,
  y: Values,
): { tau: number; p: number; exact: boolean; n: number } {
  const [a, b] = finitePair("compute Kendall's tau", x, y), n = a.length;
  let balance = 0, discordant = 0;
  for (let i = 0; i < n; i++) {
    for (let j = 0; j < i; j++) {
      const sign = Math.sign(a[i] - a[j]) * Math.sign(b[i] - b[j]);
      balance += sign;
      if (sign < 0) discordant++;
    }
  }
  const tieA = ties(a), tieB = ties(b), all = n * (n - 1) / 2;
  if (tieA.pairs === all || tieB.pairs === all) return { tau: NaN, p: NaN, exact: false, n };
  const tau = balance / Math.sqrt(all - tieA.pairs) / Math.sqrt(all - tieB.pairs);
  if (tieA.pairs + tieB.pairs === 0 && n <= 33) {
    const p = Math.min(1, 2 * inversionCumulative(n, Math.min(discordant, all - discordant)));
    return { tau, p, exact: true, n };
  }
  const m = n * (n - 1);
  const variance = (m * (2 * n + 5) - tieA.weighted - tieB.weighted) / 18 +
    2 * tieA.pairs * tieB.pairs / m +
    (n > 2 ? tieA.triples * tieB.triples / (9 * m * (n - 2)) : 0);
  const p = Math.min(1, 2 * normalTail(Math.abs(balance) / Math.sqrt(variance)));
  return { tau, p, exact: false, n };
}

function checkControls(action: string, controls: readonly Values[], n: number): Float64Array[] {
  return Array.from(controls, (control, i) => {
    const column = finite(action, control, `values of control ${i}`);
    if (column.length === n) return column;
    const found = `${column.length} in control ${i}`, next = "give controls as columns: [z]";
    return fail(action, `a column of ${n} values for every control`, found, next);
  });
}

/** What a method correlates: ranks, or values as they are. */
function scaleOf(action: string, method: string): (column: Float64Array) => Float64Array {
  if (method === "spearman") return average;
  if (method === "pearson") return (column) => column;
  return fail(action, `a method of "pearson" or "spearman"`, String(method), "set method");
}

/**
 * Partial correlation of x and y given the controls (columns of x's length): the correlation of
 * their least-squares residuals. "spearman" ranks everything first and does not rank the residuals
 * again: the textbook's form. Without controls it is `pearson` or `spearman`.
 */
export function partialCorrelation(
  x: Values,
  y: Values,
  controls: readonly Values[],
  options: PartialOptions = {},
): Correlation {
  const action = "compute a partial correlation";
  const { method = "pearson", confidence } = options;
  const scale = scaleOf(action, method);
  const pair = finitePair(action, x, y), given = checkControls(action, controls, x.length);
  const { left: [a, b], rank } = residuals(pair.map(scale), given.map(scale));
  return describe(a, b, { confidence, controls: rank });
}

/**
 * The form in the paper's analysis code: Spearman's correlation of the ranks' residuals given the
 * controls' ranks, with n - 2 degrees of freedom and n - 3 in Fisher's interval: controls cost
 * none. Residuals that differ by rounding alone count as ties.
 */
export function rankResidualSpearman(
  x: Values,
  y: Values,
  controls: readonly Values[],
  options: ConfidenceOptions = {},
): Correlation {
  const action = "correlate rank residuals";
  const pair = finitePair(action, x, y), given = checkControls(action, controls, x.length);
  const { left: [a, b] } = residuals(pair.map(average), given.map(average));
  const again = (column: Float64Array) => rankColumn(column, { tolerance: 1e-9 });
  return describe(again(a), again(b), options);
}

/** Semipartial correlation: controls are taken out of one side only; else as the partial one. */
export function semipartialCorrelation(
  x: Values,
  y: Values,
  controls: readonly Values[],
  options: PartialOptions & {
    /** The side that the controls are taken out of. @default "x" */
    from?: "x" | "y";
  } = {},
): Correlation {
  const action = "compute a semipartial correlation";
  const { method = "pearson", from = "x", confidence } = options;
  const scale = scaleOf(action, method);
  if (from !== "x" && from !== "y") fail(action, `from "x" or "y"`, String(from), "set from");
  const pair = finitePair(action, x, y), given = checkControls(action, controls, x.length);
  const [kept, other] = (from === "x" ? pair.toReversed() : pair).map(scale);
  const { left: [free], rank } = residuals([other], given.map(scale));
  return describe(kept, free, { confidence, controls: rank });
}
