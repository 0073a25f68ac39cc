/** Whether probabilities mean what they say: Brier's score, and calibration error over bins. */
import { fail, finite, integer, sameLength, type Values } from "./_check.ts";

function shares(action: string, values: Values): Float64Array {
  const p = finite(action, values, "probabilities");
  const bad = p.findIndex((value) => value < 0 || value > 1);
  if (bad >= 0) fail(action, "probabilities in [0, 1]", `${p[bad]} at index ${bad}`, "mend them");
  return p;
}

function outcomes(action: string, values: ArrayLike<number | boolean>): Float64Array {
  return Float64Array.from(values, (value, i) => {
    const outcome = Number(value);
    if (outcome !== 0 && outcome !== 1) {
      fail(action, "outcomes of 0 or 1", `${value} at index ${i}`, "give right or wrong");
    }
    return outcome;
  });
}

/**
 * Brier's score, lower is better. With one probability per item (and outcomes 0 or 1): mean of (p -
 * outcome)^2, in [0, 1]. With a row of option probabilities per item (and the index of the right
 * option): mean over items of the sum over options, in [0, 2], Brier's own form.
 */
export function brierScore(
  probabilities: Values | readonly Values[],
  targets: ArrayLike<number | boolean>,
): number {
  const action = "compute a Brier score";
  sameLength(action, probabilities, targets);
  if (typeof probabilities[0] !== "object") {
    const p = shares(action, probabilities as Values), y = outcomes(action, targets);
    return p.reduce((sum, value, i) => sum + (value - y[i]) ** 2, 0) / p.length;
  }
  const rows = Array.from(probabilities as ArrayLike<Values>, (row) => shares(action, row));
  let total = 0;
  rows.forEach((row, i) => {
    const target = targets[i] as number;
    if (!Number.isInteger(target) || target < 0 || target >= row.length) {
      fail(action, `a target in 0..${row.length - 1}`, `${target} at item ${i}`, "give an index");
    }
    row.forEach((value, option) => total += (value - (option === target ? 1 : 0)) ** 2);
  });
  return total / rows.length;
}

export interface CalibrationOptions {
  /** Bins of equal width over [0, 1]. @default 10 */
  bins?: number;
}

export interface CalibrationBin {
  /** The bin holds confidences in (low, high]; the first one holds 0 as well. */
  low: number;
  high: number;
  n: number;
  /** Mean confidence and share of right answers; NaN in an empty bin. */
  confidence: number;
  accuracy: number;
}

/** The bins of a reliability diagram, from the confidence in the chosen answer and its truth. */
export function calibrationBins(
  confidences: Values,
  correct: ArrayLike<number | boolean>,
  { bins = 10 }: CalibrationOptions = {},
): CalibrationBin[] {
  const action = "bin confidences";
  integer(action, bins, "bins", 1);
  const p = shares(action, confidences);
  sameLength(action, p, correct);
  const right = outcomes(action, correct);
  const table = Array.from({ length: bins }, (_, i) => {
    return { low: i / bins, high: (i + 1) / bins, n: 0, confidence: 0, accuracy: 0 };
  });
  p.forEach((value, i) => {
    let index = Math.max(0, Math.ceil(value * bins) - 1);
    // .07 * 100 is a little over 7: the edges decide.
    if (index > 0 && value <= table[index].low) index--;
    else if (value > table[index].high) index++;
    table[index].n++;
    table[index].confidence += value;
    table[index].accuracy += right[i];
  });
  return table.map(({ confidence, accuracy, ...bin }) => (
    { ...bin, confidence: confidence / bin.n, accuracy: accuracy / bin.n }
  ));
}

/**
 * Expected calibration error (Guo et al. 2017, with bins of equal width): mean over items of
 * |accuracy - confidence| of their bin. In [0, 1]; depends on the number of bins, so name it.
 */
export function expectedCalibrationError(
  confidences: Values,
  correct: ArrayLike<number | boolean>,
  options: CalibrationOptions = {},
): number {
  const gaps = calibrationBins(confidences, correct, options).filter(({ n }) => n > 0)
    .map(({ n, accuracy, confidence }) => n * Math.abs(accuracy - confidence));
  return gaps.reduce((sum, gap) => sum + gap, 0) / confidences.length;
}
