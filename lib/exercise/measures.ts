/** Exercises on what is measured: probabilities, distances, ranks, differences. */
import texts from "../../data/exercises.json" with { type: "json" };
import { softmaxOver } from "../probe.ts";
import { calibrationBins, expectedCalibrationError } from "../statistics/calibration.ts";
import { pearson, spearman } from "../statistics/correlation.ts";
import { klDivergence } from "../statistics/divergence.ts";
import { pairedDifference as compare } from "../statistics/hypothesis.ts";
import { mean } from "../statistics/mean.ts";
import { Random } from "../statistics/random.ts";
import { rankConsistency as consistency, rankData } from "../statistics/rank.ts";
import { checkOf, shares } from "./exercise.ts";

const random = new Random("exercise/measures");
const draw = (count: number) => Array.from({ length: count }, () => random.next());
const coins = (count: number) => draw(count).map((value) => value < 0.5);
const sum = (values: number[]) => values.reduce((a, b) => a + b, 0);
type Two = [p: number[], q: number[]];
const pairs = Array.from({ length: 5 }, (): Two => [shares(draw(4)), shares(draw(4))]);
const flat = [0.25, 0.25, 0.25, 0.25];

const tell = (...lists: Two) =>
  lists.map((list) => list.map((value) => value.toFixed(3)).join(" ")).join(" and ");

/** KL divergence of two distributions, p || q, in nats. */
export const kl = checkOf<Two, number>(texts.kl, {
  inputs: [...pairs, [[0.5, 0.5, 0, 0], flat]],
  right: klDivergence,
  about: tell,
  mistakes: {
    exchanged: (p, q) => klDivergence(q, p),
    bits: (p, q) => klDivergence(p, q) / Math.LN2,
    zero: (p, q) => sum(p.map((value, i) => value * Math.log(value / q[i]))),
    unweighted: (p, q) => sum(p.map((value, i) => value && Math.log(value / q[i]))),
  },
});

const orNone = (r: number) => Number.isNaN(r) ? 0 : r;
const places = (values: number[]) => rankData(values, { method: "ordinal", descending: true });

/** Rank consistency of the options before and after. */
export const rankConsistency = checkOf<Two, number>(texts.rankConsistency, {
  inputs: [...pairs, [[0.5, 0.3, 0.1, 0.1], [0.1, 0.6, 0.2, 0.1]], [pairs[0][0], flat]],
  right: consistency,
  about: tell,
  mistakes: {
    values: (p, q) => orNone(pearson(p, q).r),
    averageRanks: (p, q) => orNone(spearman(p, q).r),
    placeRanks: (p, q) => orNone(pearson(places(p), places(q)).r),
    noOrder: (p, q) => q.every((value) => value === q[0]) ? NaN : consistency(p, q),
  },
});

const points = (first: boolean[], second: boolean[]) => {
  const found = compare(first.map(Number), second.map(Number));
  return [found.difference, found.stderr, found.unpairedStderr].map((value) => 100 * value);
};

/** Difference of two models' right answers to the same questions: [points, standard error]. */
export const pairedDifference = checkOf<[first: boolean[], second: boolean[]], number[]>(
  texts.pairedDifference,
  {
    inputs: [20, 50].map((n) => {
      const first = coins(n);
      return [first, first.map((right) => random.next() < 0.7 ? right : !right)];
    }),
    tolerance: 1e-4,
    about: (first) => `${first.length} questions`,
    right: (...both) => points(...both).slice(0, 2),
    mistakes: {
      unpaired: (...both) => [points(...both)[0], points(...both)[2]],
      shares: (...both) => points(...both).slice(0, 2).map((value) => value / 100),
      deviation: (...both) => [points(...both)[0], points(...both)[1] * Math.sqrt(both[0].length)],
      sign: (...both) => [-points(...both)[0], points(...both)[1]],
    },
  },
);

const gaps = (p: number[], right: boolean[]) =>
  calibrationBins(p, right).filter(({ n }) => n > 0)
    .map(({ n, confidence, accuracy }) => ({ n, gap: accuracy - confidence }));

/** Expected calibration error over ten bins, from probabilities and whether the answers are right. */
export const calibrationError = checkOf<[probabilities: number[], right: boolean[]], number>(
  texts.calibrationError,
  {
    // Too sure, as models are: with a gap below 0 the last two mistakes differ.
    inputs: [30, 80].map((n) => [draw(n).map((p) => 1 - p ** 2), coins(n)]),
    about: (p) => `${p.length} answers`,
    right: (p, right) => expectedCalibrationError(p, right),
    mistakes: {
      binsAlike: (p, right) => mean(gaps(p, right).map(({ gap }) => Math.abs(gap))),
      cancelling: (p, right) => sum(gaps(p, right).map(({ n, gap }) => n * gap)) / p.length,
      noBins: (p, right) => Math.abs(mean(right.map(Number)) - mean(p)),
    },
  },
);

const softmax = (scores: number[]) => softmaxOver(scores, [...scores.keys()]);

/** Probabilities of options whose tokens' log-probabilities are given, lengths taken out. */
export const perToken = checkOf<[options: number[][]], number[]>(texts.perToken, {
  inputs: [[1, 2, 3, 2], [4, 1, 1, 2]].map((lengths) => [
    lengths.map((length) => draw(length).map((value) => Math.log(0.05 + 0.9 * value))),
  ]),
  right: (options) => softmax(options.map(mean)),
  mistakes: {
    none: (options) => softmax(options.map(sum)),
    afterSoftmax: (options) => softmax(options.map(sum)).map((p, i) => p / options[i].length),
    ofProbabilities: (options) => softmax(options.map((tokens) => mean(tokens.map(Math.exp)))),
    scores: (options) => options.map(mean),
  },
});
