/**
 * Does a probe show knowledge at all? A model that can't read letters still answers: mostly one
 * letter, about a quarter right. Groups built on such answers sort questions by letter, not by
 * what the model knows, so accuracy is held against chance and against one constant letter.
 */
import { percent } from "./figure/number.ts";
import { type Answer, optionLetter } from "./question.ts";
import type { Interval } from "./statistics/_check.ts";
import { pValue } from "./statistics/p_value.ts";
import { wilsonInterval } from "./statistics/proportion.ts";
import type { CalibrationBin, CalibrationOptions } from "./statistics/calibration.ts";
import { calibrationBins, expectedCalibrationError } from "./statistics/calibration.ts";
import { entropy } from "./statistics/divergence.ts";
import { mean } from "./statistics/mean.ts";

/** What a probe's answers show. Shares and rates are from 0 to 1. */
export interface ProbeAudit {
  n: number;
  accuracy: number;
  /** Wilson's 95% interval of the accuracy. */
  interval: Interval;
  /** Expected accuracy of a uniform guess: the mean of 1 / options. */
  chance: number;
  /** The best constant guess, given the gold answers: its letter and its accuracy. */
  majority: { letter: string; rate: number };
  /** The option predicted most often, and its share of the predictions. */
  mostPredicted: { letter: string; share: number };
  /** Exact probability that uniform guessing is right at least as often. */
  chanceP: number;
  /** The same for guesses that are right at the best constant guess's rate. */
  majorityP: number;
  /** Whether the answers beat both at the 5% level. */
  meaningful: boolean;
  /** One sentence for a reader. */
  verdict: string;
}

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

/** Holds a probe's answers against chance and against one constant letter. */
export function auditProbe(answers: readonly Answer[]): ProbeAudit {
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
  const bounds = boundedText(answers);
  return { n, accuracy, interval, ...tests, verdict: bounds ? `${verdict} ${bounds}` : verdict };
}

/** So many questions are named. */
const NAMED = 10;

/** What a server did not tell of its answers; undefined where it told all. */
export function boundedText(answers: readonly Answer[]): string | undefined {
  const some = answers.filter(({ bounded }) => bounded !== undefined);
  if (some.length === 0) return undefined;
  const letters = some.reduce((sum, { bounded }) => sum + bounded!.length, 0);
  const none = some.filter(({ bounded, choices }) => bounded!.length === choices.length);
  const names = none.slice(0, NAMED).map(({ domain, subject, id }) => `${subject ?? domain}/${id}`);
  const rest = none.length > NAMED ? ` and ${none.length - NAMED} more` : "";
  return `${letters} letters of ${some.length} questions are not among the tokens that the server named: ` +
    "they have at most their probability, and the chosen one at least its own." +
    (none.length === 0
      ? ""
      : ` Of ${names.join(", ")}${rest} no letter is: they count as answered by A, with no more ` +
        "than chance. A larger --top-logprobs finds more.");
}

/** A share of `n`, from 0 to 1, with Wilson's 95% interval. */
export type Share = { value: number; interval: Interval; n: number };

/** The share of answers, or of other items, that `fits`. Of none: NaN, anywhere from 0 to 1. */
export function shareOf<Item = Answer>(
  items: readonly Item[],
  fits: (item: Item) => boolean,
): Share {
  const n = items.length, hits = items.filter(fits).length;
  return { value: n === 0 ? NaN : hits / n, interval: wilsonInterval(hits, n), n };
}

/** Many answers in a few numbers. */
export interface Belief {
  n: number;
  right: Share;
  /** Answers with a probability above the minimum: what counts as belief (paper, section 3). */
  confident: Share;
  /** Of all answers: those that are confident and wrong, what INC and SELF are made from. */
  confidentWrong: Share;
  /** Mean probability of the predicted option. */
  confidence: number;
  /** Mean entropy of the option probabilities, in nats. */
  entropy: number;
}

export interface BeliefOptions {
  /** An answer counts as belief when its probability is above this. Default: .5, the paper's. */
  minimumConfidence?: number;
}

/** Sums answers up; means of none: NaN. */
export function beliefOf(
  answers: readonly Answer[],
  { minimumConfidence = 0.5 }: BeliefOptions = {},
): Belief {
  const isConfident = (answer: Answer) => answer.predictedProbability > minimumConfidence;
  const meanOf = (of: (answer: Answer) => number) =>
    answers.length === 0 ? NaN : mean(answers.map(of));
  return {
    n: answers.length,
    right: shareOf(answers, ({ correct }) => correct),
    confident: shareOf(answers, isConfident),
    confidentWrong: shareOf(answers, (answer) => isConfident(answer) && !answer.correct),
    confidence: meanOf(({ predictedProbability }) => predictedProbability),
    entropy: meanOf(({ probabilities }) => entropy(probabilities)),
  };
}

/** Whether answers are right as often as their probabilities say. */
export interface Reliability {
  /** Expected calibration error over `bins`, 0 to 1. */
  error: number;
  /** The bins that hold answers, with the interval of their accuracy. */
  bins: (CalibrationBin & { interval: Interval })[];
}

/** The reliability of answers, by the probability of the option that they chose. */
export function reliabilityOf(
  answers: readonly Answer[],
  options: CalibrationOptions = {},
): Reliability {
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
