/** What a model's answers say as a whole: how often it is right, how sure it is, and whether rightly. */
import type { Answer } from "../question.ts";
import {
  type CalibrationBin,
  calibrationBins,
  type CalibrationOptions,
  expectedCalibrationError,
} from "../statistics/calibration.ts";
import { entropy } from "../statistics/divergence.ts";
import type { Interval } from "../statistics/_check.ts";
import { mean } from "../statistics/mean.ts";
import { wilsonInterval } from "../statistics/proportion.ts";

/** A share of `n`, from 0 to 1, with Wilson's 95% interval. */
export interface Share {
  value: number;
  interval: Interval;
  n: number;
}

/** The share of `answers` that `fits`. Of no answers: NaN, anywhere from 0 to 1. */
export function shareOf(
  answers: readonly Answer[],
  fits: (answer: Answer) => boolean,
): Share {
  const n = answers.length, hits = answers.filter(fits).length;
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

/** Sums answers up. */
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

/** A bin of a reliability diagram, with the interval of its accuracy. */
export interface ReliabilityBin extends CalibrationBin {
  interval: Interval;
}

/** Whether answers are right as often as their probabilities say. */
export interface Reliability {
  /** Expected calibration error over `bins`, 0 to 1. */
  error: number;
  /** The bins that hold answers. */
  bins: ReliabilityBin[];
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
      .map((bin) => ({
        ...bin,
        interval: wilsonInterval(Math.round(bin.accuracy * bin.n), bin.n),
      })),
  };
}
