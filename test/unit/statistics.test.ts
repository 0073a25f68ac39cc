/** Values that scipy 1.17, statsmodels 0.15 and pingouin 0.7 give, or that follow by hand. */
import assert from "node:assert/strict";
import * as statistics from "../../lib/statistics/mod.ts";
import {
  benjaminiHochberg,
  holm,
  mcnemarTest,
  pairedDifference,
  pairedPermutationTest,
  tTest,
} from "../../lib/statistics/hypothesis.ts";
import { bootstrap, jackknife } from "../../lib/statistics/bootstrap.ts";
import {
  brierScore,
  calibrationBins,
  expectedCalibrationError,
} from "../../lib/statistics/calibration.ts";
import {
  clusteredStderr,
  mean,
  meanInterval,
  meanStderr,
  sampleVariance,
} from "../../lib/statistics/mean.ts";
import {
  type Correlation,
  fisherInterval,
  kendall,
  partialCorrelation,
  pearson,
  rankResidualSpearman,
  semipartialCorrelation,
  spearman,
} from "../../lib/statistics/correlation.ts";
import {
  cosineSimilarity,
  entropy,
  jensenShannonDivergence,
  klDivergence,
} from "../../lib/statistics/divergence.ts";
import {
  designEffect,
  intraclassCorrelation,
  varianceComponents,
} from "../../lib/statistics/variance.ts";
import { minimumDetectableEffect, requiredSampleSize } from "../../lib/statistics/power.ts";
import { pValue } from "../../lib/statistics/p_value.ts";
import { rankConsistency, rankData } from "../../lib/statistics/rank.ts";
import { wilsonInterval } from "../../lib/statistics/proportion.ts";

function near(actual: number, expected: number, tolerance = 1e-9) {
  const equal = actual === expected || Math.abs(actual - expected) <= tolerance;
  assert.ok(equal, `expected ${expected} (within ${tolerance}), got ${actual}`);
}
function allNear(actual: ArrayLike<number>, expected: number[], tolerance = 1e-9) {
  assert.equal(actual.length, expected.length);
  expected.forEach((value, i) => near(actual[i], value, tolerance));
}
function isCorrelation(actual: Correlation, r: number, p: number, df: number) {
  near(actual.r, r);
  near(actual.p, p);
  assert.equal(actual.df, df);
}

const X = [62, 55, 71, 48, 80, 66, 59, 90];
const Y = [41, 38, 47, 36, 52, 47, 40, 55];
const Z = [40, 37, 44, 37, 49, 45, 41, 50];
const W = [3, 1, 4, 1, 5, 9, 2, 6];
const A = [1, 1, 1, 1, 0, 1, 0, 1, 1, 0, 1, 1, 0, 1, 1, 1, 0, 1, 1, 1];
const B = [1, 0, 1, 1, 0, 1, 0, 0, 1, 0, 1, 0, 0, 1, 1, 0, 0, 1, 1, 1];
const FIVE = A.map((_, i) => Math.floor(i / 4));
const SAMPLE = [.21, .34, .15, .42, .38, .29, .51, .11, .27, .33];
const OTHER = [.25, .30, .11, .45, .30, .20, .49, .15, .20, .30];
const GROUPED = {
  values: [1, 2, 3, 4, 4, 6, 8, 9, 1, 2],
  clusters: [0, 0, 0, 1, 1, 2, 2, 2, 3, 3],
};
const P = [.7, .1, .15, .05], Q = [.4, .3, .2, .1];

Deno.test("the module exports every name of the contract", () => {
  for (
    const name of [
      "mean sampleVariance meanStderr clusteredStderr pairedDifference minimumDetectableEffect",
      "requiredSampleSize intraclassCorrelation designEffect varianceComponents bootstrap",
      "wilsonInterval mcnemarTest pairedPermutationTest holm benjaminiHochberg rankData pearson",
      "spearman kendall partialCorrelation rankResidualSpearman semipartialCorrelation",
      "fisherInterval klDivergence jensenShannonDivergence cosineSimilarity rankConsistency",
      "brierScore expectedCalibrationError entropy meanInterval tTest jackknife",
    ].join(" ").split(" ")
  ) assert.equal(typeof statistics[name as keyof typeof statistics], "function", name);
});

Deno.test("mean(), sampleVariance() and meanStderr() give the reference values", () => {
  near(mean(A), .75);
  near(mean(B), .55);
  near(meanStderr(A), .09933992677987828);
  near(meanStderr(B), .11413288653790231);
  near(sampleVariance(A), 20 * .09933992677987828 ** 2);
  near(meanStderr(new Float32Array(A)), .09933992677987828);
});

Deno.test("clusteredStderr() gives the reference values, CR0 unless asked", () => {
  const difference = A.map((value, i) => value - B[i]);
  near(clusteredStderr(A, FIVE), .07071067811865475);
  near(clusteredStderr(B, FIVE), .08366600265340757);
  near(clusteredStderr(difference, FIVE), .044721359549996);
  near(clusteredStderr(A, FIVE, { correction: "CR1" }), .07905694150420946);
  near(clusteredStderr(B, FIVE, { correction: "CR1" }), .09354143466934851);
  near(clusteredStderr(difference, FIVE, { correction: "CR1" }), .05);
});

Deno.test("clusteredStderr() is meanStderr() when every value is a cluster, in CR1", () => {
  near(clusteredStderr(A, A.map((_, i) => `item ${i}`), { correction: "CR1" }), meanStderr(A));
});

Deno.test("clusteredStderr() takes clusters of unequal size (statsmodels 0.15)", () => {
  near(clusteredStderr(GROUPED.values, GROUPED.clusters), 1.34907376, 1e-8);
});

Deno.test("meanInterval() is the t-interval, over clusters when there are", () => {
  const plain = meanInterval(SAMPLE); // scipy 1.17
  allNear(plain.interval, [.21335783036215938, .3886421696378407]);
  assert.deepEqual([plain.df, plain.n, plain.units], [9, 10, 10]);
  const clustered = meanInterval(A, { clusters: FIVE });
  assert.deepEqual([clustered.df, clustered.n, clustered.units], [4, 20, 5]);
  near(clustered.stderr, .07905694150420946);
  // t(.975, 4) = 2.7764451051977987
  near(clustered.interval[1], .75 + 2.7764451051977987 * .07905694150420946);
});

Deno.test("tTest() gives scipy 1.17's ttest_1samp", () => {
  const test = tTest(SAMPLE.map((value) => value - .25)); // popmean=.25
  near(test.t, 1.3163756189451528);
  near(test.p, .22058414946483856);
  allNear(test.interval, [.21335783036215938 - .25, .3886421696378407 - .25]);
});

Deno.test("pairedDifference() gives the reference values", () => {
  const test = pairedDifference(A, B);
  near(test.difference, .2);
  near(test.stderr, .09176629354822471);
  near(test.unpairedStderr, .15131006854173737);
  near(test.t, 2.1794494717703365);
  near(test.p, .04208628671050175);
  allNear(test.interval, [.007930940219671667, .39206905978032836]);
  near(test.correlation, pearson(A, B).r);
  near(pairedDifference(A, B, { clusters: FIVE }).stderr, .05);
  near(pairedDifference(A, B, { clusters: FIVE, correction: "CR0" }).stderr, .044721359549996);
});

Deno.test("wilsonInterval() gives the reference value and scipy 1.17's", () => {
  allNear(wilsonInterval(15, 20), [.5312991223812559, .8881382985923344]);
  allNear(wilsonInterval(11, 20), [.3420853424503424, .7418021417443758]);
  allNear(wilsonInterval(190, 250), [.7033795246798652, .8087511595825035]);
  allNear(wilsonInterval(0, 10), [0, .27753279986288926]);
  allNear(wilsonInterval(10, 10), [.7224672001371109, 1]);
  allNear(wilsonInterval(11, 20, { confidence: .9 }), [.37220770755293475, .7158765087109688]);
});

Deno.test("mcnemarTest() gives the reference values and statsmodels 0.15's", () => {
  const table = [[11, 4], [0, 5]]; // of A and B
  near(mcnemarTest(table).p, .125);
  assert.equal(mcnemarTest(table).statistic, 0);
  const chi = mcnemarTest(table, { exact: false });
  near(chi.statistic, 2.25);
  near(chi.p, .13361440253771584);
  near(mcnemarTest([[30, 12], [5, 53]]).p, .143463134765625);
  near(mcnemarTest([[30, 12], [5, 53]], { exact: false }).p, .1456100953968629);
  near(mcnemarTest([[30, 12], [5, 53]], { exact: false, correction: false }).p, .08955507441364248);
  near(mcnemarTest([[10, 300], [240, 50]]).p, .011050481081929898);
});

Deno.test("mcnemarTest() holds with thousands of disagreements, where 2^-n underflows", () => {
  const exact = mcnemarTest([[0, 2050], [1950, 0]]).p;
  // The corrected chi-square, close to the binomial at this size.
  near(exact, mcnemarTest([[0, 2050], [1950, 0]], { exact: false }).p, 1e-4);
});

Deno.test("pairedPermutationTest() is exact for few items (scipy 1.17, permutation_test)", () => {
  const test = pairedPermutationTest(SAMPLE, OTHER);
  near(test.difference, .026);
  near(test.p, .14453125);
  assert.equal(test.exact, true);
});

Deno.test("pairedPermutationTest() draws patterns near the exact p, fixed by the seed", () => {
  const draw = (seed: number) => pairedPermutationTest(SAMPLE, OTHER, { resamples: 1000, seed });
  assert.equal(draw(1).exact, false);
  // Standard error of the share: sqrt(.145 * .855 / 1000) = .011.
  near(draw(1).p, .14453125, .045);
  assert.deepEqual(draw(1), draw(1));
  assert.notEqual(draw(1).p, draw(2).p);
});

Deno.test("pairedPermutationTest() changes the signs of whole clusters", () => {
  const test = pairedPermutationTest(A, B, { clusters: FIVE });
  // Cluster differences 1, 1, 1, 1, 0: of 16 patterns, all four kept or all four changed.
  near(test.p, 2 / 16);
  assert.equal(test.patterns, 16);
});

Deno.test("holm() and benjaminiHochberg() give the reference values in any order", () => {
  const p = [.001, .008, .039, .041, .042, .06, .074, .205, .212, .216];
  const byHolm = [.01, .072, .312, .312, .312, .312, .312, .615, .615, .615];
  const byFdr = [.01, .04, .084, .084, .084, .1, .10571428571428572, .216, .216, .216];
  allNear(holm(p), byHolm);
  allNear(benjaminiHochberg(p), byFdr);
  const shuffled = [7, 2, 9, 0, 4, 1, 8, 3, 6, 5];
  allNear(holm(shuffled.map((i) => p[i])), shuffled.map((i) => byHolm[i]));
  allNear(benjaminiHochberg(shuffled.map((i) => p[i])), shuffled.map((i) => byFdr[i]));
});

Deno.test("rankData() ranks ties in five ways (scipy 1.17, rankdata)", () => {
  const values = [10, 20, 20, 30, 5];
  assert.deepEqual(rankData(values), [2, 3.5, 3.5, 5, 1]);
  assert.deepEqual(rankData(values, { method: "dense" }), [2, 3, 3, 4, 1]);
  assert.deepEqual(rankData(values, { method: "min" }), [2, 3, 3, 5, 1]);
  assert.deepEqual(rankData(values, { method: "max" }), [2, 4, 4, 5, 1]);
  assert.deepEqual(rankData(values, { method: "ordinal" }), [2, 3, 4, 5, 1]);
  assert.deepEqual(rankData(values, { method: "dense", descending: true }), [3, 2, 2, 1, 4]);
});

Deno.test("rankConsistency() correlates dense descending ranks", () => {
  near(rankConsistency([.4, .1, .3, .2], [.4, .3, .2, .1]), pearson([1, 4, 2, 3], [1, 2, 3, 4]).r);
  // Ranks 1, 3, 2, 4 against 1, 2, 3, 4.
  near(rankConsistency([.4, .2, .3, .1], [.4, .3, .2, .1]), .8);
  near(rankConsistency([.4, .4, .1, .1], Q), .894427190999916);
  near(rankConsistency(Q, [.1, .2, .3, .4]), -1);
});

Deno.test("rankConsistency() gives 0 when a side is constant", () => {
  assert.equal(rankConsistency([.25, .25, .25, .25], Q), 0);
  assert.equal(rankConsistency(Q, [.25, .25, .25, .25]), 0);
  assert.equal(rankConsistency([1], [1]), 0);
});

Deno.test("pearson() and spearman() give scipy 1.17's values", () => {
  isCorrelation(pearson(X, Y), .9801238220744847, 1.933935274210506e-05, 6);
  allNear(pearson(X, Y).interval, [.8904664158315486, .996528012684262]);
  isCorrelation(pearson(X, W), .6369635723870625, .0894122802208849, 6);
  allNear(pearson(X, W).interval, [-.12285126946048021, .9260003367604459]);
  isCorrelation(spearman(X, Y), .9940297973880048, 5.296153515645125e-07, 6);
  isCorrelation(spearman(X, W), .8503146459584139, .007471414639953455, 6);
});

Deno.test("kendall() gives tau-b with ties, exact and approximate p (scipy 1.17)", () => {
  near(kendall([.4, .4, .1, .1], Q).tau, .8164965809277261);
  const tied = kendall([12, 2, 1, 12, 2, 5, 7, 9, 3], [1, 4, 7, 1, 0, 3, 2, 8, 6]);
  near(tied.tau, -.2898855178262242);
  near(tied.p, .28929603026730255);
  const exact = kendall([1, 5, 3, 2, 8, 7, 4, 6, 9], [2, 6, 1, 3, 9, 5, 4, 8, 7]);
  near(exact.tau, .6666666666666666);
  near(exact.p, .012665343915343916);
  assert.deepEqual([tied.exact, exact.exact], [false, true]);
  const range = Array.from({ length: 40 }, (_, i) => i);
  const long = kendall(range.map((i) => (i * 17 + 5) % 41), range.map((i) => (i * i * 3 + i) % 43));
  near(long.tau, .04669578855406176);
  near(long.p, .6745215275428347);
});

Deno.test("partialCorrelation() gives the reference values", () => {
  const p = partialCorrelation(X, Y, [Z], { method: "pearson" });
  isCorrelation(p, .7561457618132321, .04920987681249967, 5);
  allNear(p.interval, fisherInterval(.7561457618132321, 8, { controls: 1 }));
  const s = partialCorrelation(X, Y, [Z], { method: "spearman" });
  isCorrelation(s, .9516979818441004, .0009594792585185702, 5);
  assert.equal(partialCorrelation(X, Y, [Z]).r, p.r);
});

Deno.test("partialCorrelation() takes several controls (pingouin 0.7)", () => {
  isCorrelation(partialCorrelation(X, Y, [Z, W]), .8692070923908277, .024541453967165252, 4);
  const ranked = partialCorrelation(X, Y, [Z, W], { method: "spearman" });
  isCorrelation(ranked, .9742653100850632, .0009848896861024824, 4);
});

Deno.test("rankResidualSpearman() gives the reference values, with df n - 2", () => {
  isCorrelation(rankResidualSpearman(X, Y, [Z]), .9523809523809524, .000260400024387251, 6);
  isCorrelation(rankResidualSpearman(X, Y, [Z, W]), .9761904761904763, 3.314396026200098e-05, 6);
  allNear(rankResidualSpearman(X, Y, [Z]).interval, fisherInterval(.9523809523809524, 8));
});

Deno.test("semipartialCorrelation() takes the controls out of one side (pingouin 0.7)", () => {
  const of = (controls: number[][], from: "x" | "y", method: "pearson" | "spearman") =>
    semipartialCorrelation(X, Y, controls, { from, method });
  isCorrelation(of([Z], "x", "pearson"), .12464032345814524, .7900437719751348, 5);
  isCorrelation(of([Z], "y", "pearson"), .21909672748376074, .6369126202464102, 5);
  isCorrelation(of([Z, W], "x", "pearson"), .14323011107823808, .7866240065589063, 4);
  isCorrelation(of([Z], "x", "spearman"), .25355693042654776, .5832510118745055, 5);
  isCorrelation(of([Z], "y", "spearman"), .3081620450925423, .5013301787777769, 5);
});

Deno.test("fisherInterval() shows how little r = .82 says at n = 24 (scipy 1.17)", () => {
  allNear(fisherInterval(.82, 24), [.6225256132098792, .9193043445240113]);
  allNear(fisherInterval(.82, 32, { controls: 1 }), [.6563756723472535, .9099469395984316]);
});

Deno.test("divergences give the reference values in nats", () => {
  near(klDivergence(P, Q), .20406015279222028);
  near(klDivergence(Q, P), .23258850397261474);
  near(jensenShannonDivergence(P, Q), .052917695045724085);
  near(jensenShannonDivergence(Q, P), .052917695045724085);
  near(entropy(P), .9142855814670989); // scipy 1.17
  near(entropy([.25, .25, .25, .25]), Math.log(4));
  near(cosineSimilarity(P, Q), .8693182879212226); // scipy 1.17
});

Deno.test("klDivergence() is Infinity where q = 0 < p", () => {
  assert.equal(klDivergence([.5, .5], [1, 0]), Infinity);
  near(klDivergence([1, 0], [.5, .5]), Math.LN2);
  near(jensenShannonDivergence([1, 0], [0, 1]), Math.LN2);
});

Deno.test("intraclassCorrelation() gives the reference value and statsmodels 0.15's", () => {
  near(intraclassCorrelation(A, FIVE), -.11827956989247311);
  near(intraclassCorrelation(GROUPED.values, GROUPED.clusters), .8738902980342421);
});

Deno.test("designEffect() is 1 + (m - 1) ICC, and 1 for clusters of one", () => {
  near(designEffect(4, .2), 1.6);
  near(designEffect(4, -.11827956989247311), .6451612903225807);
  near(designEffect(1, .9), 1);
});

Deno.test("varianceComponents() splits items and seeds (statsmodels 0.15, two-way ANOVA)", () => {
  const table = [
    [9, 2, 5, 8],
    [6, 1, 3, 2],
    [8, 4, 6, 8],
    [7, 1, 2, 6],
    [10, 5, 6, 9],
    [6, 2, 4, 7],
  ];
  const found = varianceComponents(table);
  near(found.items, 2.555555555555558);
  near(found.seeds, 5.244444444444443);
  near(found.residual, 1.0194444444444444);
  near(found.mean, mean(table.flat()));
  near(
    found.meanStderr,
    Math.sqrt(2.555555555555558 / 6 + 5.244444444444443 / 4 + 1.0194444444444444 / 24),
  );
  // ICC(A,1) of the same table, pingouin 0.7.
  near(found.items / (found.items + found.seeds + found.residual), .2897637795275592);
});

Deno.test("varianceComponents() puts 0 for a negative component unless asked not to", () => {
  const crossed = [[1, 0], [0, 1]];
  assert.equal(varianceComponents(crossed).items, 0);
  near(varianceComponents(crossed, { truncate: false }).items, -.5);
});

Deno.test("requiredSampleSize() and minimumDetectableEffect() give the reference values", () => {
  near(requiredSampleSize({ effect: .03, differenceVariance: 1 / 9 }), 968.997, 5e-4);
  const common = { n: 198, differenceVariance: 1 / 9, varianceA: 1 / 6, varianceB: 1 / 6 };
  near(minimumDetectableEffect(common), .1327333278739942);
  near(minimumDetectableEffect({ ...common, samplesA: 10, samplesB: 10 }), .0756696392667773);
  const options = {
    differenceVariance: .2,
    varianceA: .3,
    varianceB: .1,
    samplesA: 4,
    samplesB: 2,
  };
  const needed = requiredSampleSize({ effect: .05, ...options, alpha: .01, power: .9 });
  near(needed, 1934.3203320023085, 1e-8); // scipy 1.17's quantiles
  near(minimumDetectableEffect({ n: needed, ...options, alpha: .01, power: .9 }), .05);
});

Deno.test("jackknife() gives the reference standard error and BCa acceleration", () => {
  near(jackknife(SAMPLE).stderr, .038742741255621035);
  near(jackknife(SAMPLE).acceleration, .0006569754698580826);
  const byFunction = jackknife(SAMPLE, { statistic: (sample) => mean(sample) });
  near(byFunction.stderr, .038742741255621035);
  near(byFunction.acceleration, .0006569754698580826);
  near(byFunction.bias, 0);
});

Deno.test("bootstrap() gives the reference intervals of a mean, within its noise", () => {
  const run = (method: "percentile" | "basic" | "bca") =>
    bootstrap(SAMPLE, { method, resamples: 200_000, seed: 7 });
  allNear(run("percentile").interval, [.229, .373], .002);
  allNear(run("basic").interval, [.602 - .373, .602 - .229], .002);
  allNear(run("bca").interval, [.230, .374], .002);
  near(run("bca").acceleration!, .0006569754698580826);
  near(run("bca").stderr, Math.sqrt(.9) * .038742741255621035, 3e-4);
});

Deno.test("bootstrap() of functions and pairs is near scipy 1.17's BCa", () => {
  const variance = (s: Float64Array) => {
    const center = s.reduce((sum, value) => sum + value, 0) / s.length;
    return s.reduce((sum, value) => sum + (value - center) ** 2, 0) / s.length;
  };
  const spread = bootstrap(SAMPLE, { statistic: variance, resamples: 50_000 });
  allNear(spread.interval, [.006829, .02734], 6e-4);
  near(spread.stderr, .004632548921183753, 1e-4);
  const r = bootstrap(X, {
    paired: Y,
    statistic: (x, y) => pearson(x, y).r,
    resamples: 10_000,
  });
  allNear(r.interval, [.9060606745389329, .9962595839222684], .01);
  near(r.stderr, .017406364657837802, .002);
});

Deno.test("bootstrap() takes the mean difference of paired columns, and several columns", () => {
  const paired = bootstrap(A, { paired: B, seed: 3 });
  near(paired.estimate, .2);
  near(paired.stderr, Math.sqrt(19 / 20) * .09176629354822471, .002);
  const partial = bootstrap(X, {
    paired: [Y, Z],
    statistic: (x, y, z) => partialCorrelation(x, y, [z]).r,
    resamples: 500,
  });
  near(partial.estimate, .7561457618132321);
});

Deno.test("bootstrap() draws whole clusters: its standard error is the clustered one", () => {
  for (const statistic of [undefined, (sample: Float64Array) => mean(sample)]) {
    const found = bootstrap(A, { clusters: FIVE, statistic, resamples: 40_000 });
    near(found.stderr, .07071067811865475, .001);
    near(jackknife(A, { clusters: FIVE, statistic }).stderr, .07905694150420946);
  }
  const { values, clusters } = GROUPED;
  const byDefault = bootstrap(values, { clusters });
  const given = bootstrap(values, { clusters, statistic: (sample) => mean(sample) });
  allNear(byDefault.interval, given.interval);
  near(byDefault.acceleration!, given.acceleration!);
});

Deno.test("bootstrap() is fixed by its seed", () => {
  const run = (seed: number | string) => bootstrap(SAMPLE, { seed, resamples: 500 });
  assert.deepEqual(run("a"), run("a"));
  assert.notDeepEqual(run("a").replicates, run("b").replicates);
});

Deno.test("brierScore() of one probability and of options", () => {
  near(brierScore([.9, .2, .6], [1, 0, 0]), (.01 + .04 + .36) / 3);
  near(brierScore([.9, .2, .6], [true, false, false]), (.01 + .04 + .36) / 3);
  near(brierScore([P, Q], [0, 2]), ((.09 + .01 + .0225 + .0025) + (.16 + .09 + .64 + .01)) / 2);
  assert.equal(brierScore([[1, 0]], [0]), 0);
  assert.equal(brierScore([[1, 0]], [1]), 2);
});

Deno.test("expectedCalibrationError() weighs the gap of every bin by its items", () => {
  const confidences = [.95, .95, .85, .85, .3], correct = [true, true, true, false, false];
  // Bins: (.9, 1] gap .05 of 2, (.8, .9] gap .35 of 2, (.2, .3] gap .3 of 1.
  near(expectedCalibrationError(confidences, correct), (2 * .05 + 2 * .35 + .3) / 5);
  near(expectedCalibrationError(confidences, correct, { bins: 1 }), Math.abs(3 / 5 - 3.9 / 5));
  near(expectedCalibrationError([1, 1, 0], [1, 1, 0]), 0);
});

Deno.test("calibrationBins() counts an edge in the bin below it, whatever the rounding", () => {
  const bins = calibrationBins([0, .07, .29, 1], [0, 0, 0, 1], { bins: 100 });
  assert.deepEqual(bins.flatMap((bin, i) => bin.n ? [i] : []), [0, 6, 28, 99]);
  assert.ok(Number.isNaN(bins[50].accuracy));
});

Deno.test("pValue() prints three digits without a zero, never a p of .000", () => {
  assert.deepEqual(
    [0, 1e-300, 0.0004999, 0.001, 0.0231, 0.5, 0.9999, 1].map((p) => pValue(p)),
    ["< .001", "< .001", "< .001", ".001", ".023", ".500", "> .999", "1.000"],
  );
  assert.deepEqual([pValue(0.0001, "p"), pValue(0.04, "Holm p")], ["p < .001", "Holm p = .040"]);
  assert.deepEqual([undefined, null, NaN].map((p) => pValue(p, "p")), ["", "", ""]);
});
