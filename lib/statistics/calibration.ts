/** Whether probabilities mean what they say: calibration error over bins. */
import { fail, finite, integer, sameLength, type Values } from "./_check.ts";

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
  const p = finite(action, confidences, "probabilities");
  const bad = p.findIndex((value) => value < 0 || value > 1);
  if (bad >= 0) fail(action, "probabilities in [0, 1]", `${p[bad]} at index ${bad}`, "mend them");
  sameLength(action, p, correct);
  const right = Array.from(correct, Number);
  const odd = right.findIndex((outcome) => outcome !== 0 && outcome !== 1);
  if (odd >= 0) {
    fail(action, "outcomes of 0 or 1", `${correct[odd]} at index ${odd}`, "give right or wrong");
  }
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
