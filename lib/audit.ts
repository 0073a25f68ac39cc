/**
 * Does a probe show knowledge at all? A model that can't read letters still answers: mostly one
 * letter, about a quarter right. Groups built on such answers sort questions by letter, not by
 * what the model knows, so accuracy is held against chance and against one constant letter.
 */
import { percent } from "./figure/number.ts";
import { type Answer, optionLetter } from "./question.ts";
import { pValue } from "./statistics/p_value.ts";
import { wilsonInterval } from "./statistics/proportion.ts";
import {
  calibrationBins,
  type CalibrationOptions,
  expectedCalibrationError,
} from "./statistics/calibration.ts";
import { entropy } from "./statistics/divergence.ts";
import { mean } from "./statistics/mean.ts";

/**
 * P(at least k successes) of independent trials with these probabilities, by convolution. Own code,
 * because questions may differ in their number of options, and jStat has the equal case only.
 */
function tail(probabilities: number[], k: number): number {
  const mass = new Float64Array(probabilities.length + 1);
  mass[0] = 1;
  for (const [i, p] of probabilities.entries()) {
    for (let j = i + 1; j > 0; j--) mass[j] = mass[j] * (1 - p) + mass[j - 1] * p;
    mass[0] *= 1 - p;
  }
  let sum = 0;
  for (let j = mass.length - 1; j >= k; j--) sum += mass[j]; // smallest first
  return Math.min(1, sum);
}

/** The option that is named most often, and its share; the first one of equals. */
function mode(indexes: number[]): { letter: string; share: number } {
  const counts: number[] = [];
  for (const index of indexes) counts[index] = (counts[index] ?? 0) + 1;
  const most = Math.max(0, ...counts.filter(Number.isFinite));
  const share = most / Math.max(1, indexes.length);
  return { letter: optionLetter(Math.max(0, counts.indexOf(most))), share };
}

/** Of both tests. */
const LEVEL = 0.05;

/**
 * Holds a probe's answers against chance and against one constant letter; shares and rates from 0 to 1.
 * `interval`: Wilson's 95% of the accuracy. `chance`: a uniform guess's expected accuracy, the mean of
 * 1 / options. `majority`: the best constant guess, given the gold answers. `chanceP` and `majorityP`: exact
 * probabilities that guesses which are right at these rates are right at least as often. `meaningful`:
 * whether the answers beat both at the 5% level. `verdict`: one sentence for a reader.
 */
export function auditProbe(answers: readonly Answer[]) {
  const n = answers.length;
  const right = answers.filter(({ correct }) => correct).length;
  const interval = wilsonInterval(right, n);
  const guesses = answers.map(({ choices }) => 1 / choices.length);
  const chance = guesses.reduce((a, b) => a + b, 0) / Math.max(1, n);
  const gold = mode(answers.map(({ answer }) => answer));
  const mostPredicted = mode(answers.map(({ predicted }) => predicted));
  const accuracy = right / Math.max(1, n);
  const chanceP = tail(guesses, right);
  const majorityP = tail(answers.map(() => gold.share), right);
  const meaningful = chanceP < LEVEL && majorityP < LEVEL;

  const found = `${percent(accuracy)} of ${n} answers are right (95% interval ` +
    `${percent(interval[0])} to ${percent(interval[1])})`;
  const bars =
    `a uniform guess (${percent(chance)}, ${pValue(chanceP, "p")}) and always answering ` +
    `${gold.letter} (${percent(gold.share)}, ${pValue(majorityP, "p")})`;
  const collapsed = mostPredicted.share >= 0.8
    ? ` ${percent(mostPredicted.share)} of the answers are ${mostPredicted.letter}, so part of ` +
      `this is a preference for one place.`
    : "";
  const read = meaningful
    ? `${found}, more than ${bars}: the probe shows knowledge, and groups built on it mean something.`
    : `${found}, which does not beat both ${bars}: the probe does not show ` +
      `knowledge, and groups built on it would not mean anything.`;
  const verdict = n === 0
    ? "There are no answers, so nothing can be said and no groups can be built."
    : read + collapsed;
  const majority = { letter: gold.letter, rate: gold.share };
  const tests = { chance, majority, mostPredicted, chanceP, majorityP, meaningful };
  return { n, accuracy, interval, ...tests, verdict };
}

export type ProbeAudit = ReturnType<typeof auditProbe>;

/** The share of answers, or of other items, that `fits`, with Wilson's 95% interval. Of none: NaN. */
export function shareOf<Item = Answer>(items: readonly Item[], fits: (item: Item) => boolean) {
  const n = items.length, hits = items.filter(fits).length;
  return { value: n === 0 ? NaN : hits / n, interval: wilsonInterval(hits, n), n };
}

export interface BeliefOptions {
  /** An answer counts as belief when its probability is above this. Default: .5, the paper's. */
  minimumConfidence?: number;
}

/** Many answers in a few numbers; means of none: NaN. */
export function beliefOf(
  answers: readonly Answer[],
  { minimumConfidence = 0.5 }: BeliefOptions = {},
) {
  const isConfident = (answer: Answer) => answer.predictedProbability > minimumConfidence;
  const meanOf = (of: (answer: Answer) => number) =>
    answers.length === 0 ? NaN : mean(answers.map(of));
  return {
    n: answers.length,
    right: shareOf(answers, ({ correct }) => correct),
    /** With a probability above the minimum: what counts as belief (paper, section 3). */
    confident: shareOf(answers, isConfident),
    /** Of all answers: what INC and SELF are made from. */
    confidentWrong: shareOf(answers, (answer) => isConfident(answer) && !answer.correct),
    /** Mean probability of the predicted option. */
    confidence: meanOf(({ predictedProbability }) => predictedProbability),
    /** Mean entropy of the option probabilities, in nats. */
    entropy: meanOf(({ probabilities }) => entropy(probabilities)),
  };
}

/**
 * Whether answers are right as often as the probability of the option that they chose says: the expected
 * calibration error, 0 to 1, and the bins that hold answers, with the interval of their accuracy.
 */
export function reliabilityOf(answers: readonly Answer[], options: CalibrationOptions = {}) {
  const confidences = answers.map(({ predictedProbability }) => Math.min(1, predictedProbability));
  const correct = answers.map((answer) => answer.correct);
  return {
    error: expectedCalibrationError(confidences, correct, options),
    bins: calibrationBins(confidences, correct, options).filter(({ n }) => n > 0)
      .map((bin) => (
        { ...bin, interval: wilsonInterval(Math.round(bin.accuracy * bin.n), bin.n) }
      )),
  };
}
