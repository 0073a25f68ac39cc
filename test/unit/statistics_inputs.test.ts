/** What the statistics do with constant, tiny and wrong inputs: as documented, never silently. */
import assert from "node:assert/strict";
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
import { cosineSimilarity, entropy, klDivergence } from "../../lib/statistics/divergence.ts";
import {
  designEffect,
  intraclassCorrelation,
  varianceComponents,
} from "../../lib/statistics/variance.ts";
import {
  fisherInterval,
  kendall,
  partialCorrelation,
  pearson,
  rankResidualSpearman,
  semipartialCorrelation,
  spearman,
} from "../../lib/statistics/correlation.ts";
import { minimumDetectableEffect, requiredSampleSize } from "../../lib/statistics/power.ts";
import { rankConsistency, rankData } from "../../lib/statistics/rank.ts";
import { wilsonInterval } from "../../lib/statistics/proportion.ts";

const NOTHING = [NaN, NaN];

Deno.test("one value: the mean stands, everything about its spread is NaN", () => {
  assert.equal(mean([.3]), .3);
  assert.ok(Number.isNaN(sampleVariance([.3])));
  assert.ok(Number.isNaN(meanStderr([.3])));
  assert.deepEqual(meanInterval([.3]).interval, NOTHING);
  assert.ok(Number.isNaN(tTest([.3]).p));
  const once = bootstrap([.3], { resamples: 10 });
  assert.deepEqual([once.estimate, once.stderr, ...once.interval], [.3, NaN, NaN, NaN]);
  assert.ok(Number.isNaN(jackknife([.3]).stderr));
});

Deno.test("one cluster: NaN, not the formula's 0", () => {
  assert.ok(Number.isNaN(clusteredStderr([1, 2, 3], ["a", "a", "a"])));
  assert.deepEqual(meanInterval([1, 2, 3], { clusters: ["a", "a", "a"] }).interval, NOTHING);
  assert.ok(Number.isNaN(intraclassCorrelation([1, 2, 3], ["a", "a", "a"])));
  assert.ok(Number.isNaN(intraclassCorrelation([1, 2, 3], ["a", "b", "c"])));
  assert.ok(Number.isNaN(varianceComponents([[1], [2]]).seeds));
  assert.deepEqual(bootstrap([1, 2], { clusters: ["a", "a"], resamples: 9 }).interval, NOTHING);
});

Deno.test("a constant has variance 0 exactly and the interval [mean, mean]", () => {
  const constant = new Array(7).fill(.1);
  assert.equal(mean(constant), .1);
  assert.equal(sampleVariance(constant), 0);
  assert.deepEqual(meanInterval(constant).interval, [.1, .1]);
  for (const method of ["percentile", "basic", "bca"] as const) {
    const { stderr, interval } = bootstrap(constant, { method, resamples: 50 });
    assert.equal(stderr, 0);
    assert.ok(Math.abs(interval[0] - .1) < 1e-15 && interval[0] === interval[1]);
  }
});

Deno.test("tTest() of a constant: p 1 on the null, p 0 off it", () => {
  const at = tTest([0, 0, 0]);
  assert.deepEqual([at.t, at.p], [0, 1]);
  const off = tTest([-.1, -.1, -.1]);
  assert.deepEqual([off.t, off.p], [-Infinity, 0]);
  assert.equal(pairedDifference([1, 0, 1], [1, 0, 1]).p, 1);
});

Deno.test("clusteredStderr() of clusters with one mean is 0, not a rounding", () => {
  const values = [.1, .3, .2, .3, .2, .1, .2, .1, .3];
  assert.equal(clusteredStderr(values, [0, 0, 0, 1, 1, 1, 2, 2, 2]), 0);
});

Deno.test("tests of pairs that never differ give p 1", () => {
  assert.equal(mcnemarTest([[5, 0], [0, 5]]).p, 1);
  assert.equal(mcnemarTest([[5, 0], [0, 5]], { exact: false }).p, 1);
  assert.equal(mcnemarTest([[5, 3], [3, 5]]).p, 1);
  assert.equal(pairedPermutationTest([1, 0], [1, 0]).p, 1);
});

Deno.test("correlations with a constant side are NaN, not 0 and not an error", () => {
  const x = [1, 2, 3, 4, 5], constant = [.3, .3, .3, .3, .1 + .2];
  for (const  of of[pearson, spearman]) {
    const { r, p, interval } = of(x, [2, 2, 2, 2, 2]);
    assert.deepEqual([r, p, ...interval], [NaN, NaN, NaN, NaN]);
  }
  assert.ok(Number.isNaN(pearson(x, constant).r), "spread of rounding alone");
  assert.ok(Number.isNaN(kendall(x, [2, 2, 2, 2, 2]).tau));
});

Deno.test("a side that the controls explain wholly has no partial correlation", () => {
  const x = [1, 2, 3, 4, 5, 6], y = [2, 1, 4, 3, 6, 5], z = x.map((value) => 3 * value - .1);
  assert.ok(Number.isNaN(partialCorrelation(x, y, [z]).r));
  assert.ok(Number.isNaN(partialCorrelation(x, y, [z], { method: "spearman" }).r));
  assert.ok(Number.isNaN(rankResidualSpearman(x, y, [z]).r));
  assert.ok(Number.isNaN(semipartialCorrelation(x, y, [z]).r));
});

Deno.test("rankResidualSpearman() takes residuals that differ by rounding alone for ties", () => {
  // Without that, r of these columns depends on the order of the items.
  const x = [3, 0, 5, 0, 0, 1, 1, 2], y = [2, 5, 3, 5, 4, 3, 3, 5], z = [1, 1, 4, 3, 5, 4, 0, 1];
  const order = [1, 5, 4, 3, 6, 7, 2, 0], turn = (values: number[]) => order.map((i) => values[i]);
  const plain = rankResidualSpearman(x, y, [z]).r;
  assert.ok(Math.abs(rankResidualSpearman(turn(x), turn(y), [turn(z)]).r - plain) < 1e-12);
});

Deno.test("few items: no degree of freedom means p NaN and the interval [-1, 1]", () => {
  const two = pearson([1, 2], [3, 5]);
  assert.deepEqual([two.r, two.df, two.p, ...two.interval], [1, 0, NaN, -1, 1]);
  assert.deepEqual(pearson([1, 2, 3], [3, 5, 4]).interval, [-1, 1]);
  assert.equal(partialCorrelation([1, 2, 4], [3, 5, 4], [[1, 3, 2]]).df, 0);
  assert.deepEqual(fisherInterval(1, 10), [1, 1]);
  assert.deepEqual(fisherInterval(.5, 3), [-1, 1]);
});

Deno.test("perfect correlations have p 0 and a closed interval", () => {
  const { r, p, interval } = pearson([1, 2, 3, 4], [2, 4, 6, 8]);
  assert.deepEqual([r, p, ...interval], [1, 0, 1, 1]);
});

Deno.test("wilsonInterval() of no items is [0, 1]", () => {
  assert.deepEqual(wilsonInterval(0, 0), [0, 1]);
});

Deno.test("cosineSimilarity() is 0 with a zero vector and holds for huge and tiny numbers", () => {
  assert.equal(cosineSimilarity([0, 0], [1, 2]), 0);
  assert.ok(Math.abs(cosineSimilarity([1e200, 1e200], [1e-200, 1e-200]) - 1) < 1e-12);
  assert.ok(Math.abs(cosineSimilarity([1, 0], [-3, 0]) + 1) < 1e-12);
});

Deno.test("bootstrap() leaves out and counts resamples without a statistic, up to half", () => {
  const x = [1, 2, 3, 4], y = [2, 1, 4, 3];
  const statistic = (a: Float64Array, b: Float64Array) => pearson(a, b).r;
  const found = bootstrap(x, { paired: y, statistic, resamples: 2000 });
  // Four draws of four items are all the same one in 1 of 64.
  assert.ok(found.undefinedResamples > 5 && found.undefinedResamples < 100);
  assert.equal(found.replicates.length, 2000 - found.undefinedResamples);
  assert.ok(found.interval.every(Number.isFinite));
  const rarely = (a: Float64Array) => a.every((value, i) => value === x[i]) ? 1 : NaN;
  assert.throws(() => bootstrap(x, { statistic: rarely, resamples: 100 }), /NaN on \d+ of 100/);
});

Deno.test("bootstrap() of the largest value stays within the data in every method's cut", () => {
  const statistic = (sample: Float64Array) => Math.max(...sample);
  const { interval } = bootstrap([1, 2, 3, 4, 5, 6], { statistic, resamples: 500 });
  assert.ok(interval[0] >= 1 && interval[0] <= interval[1] && interval[1] <= 6);
});

Deno.test("a NaN, a text or nothing at all is refused with its place", () => {
  assert.throws(
    () => mean([1, NaN]),
    /^RangeError: Cannot compute a mean: expected finite numbers as values; found NaN at index 1; /,
  );
  assert.throws(() => mean([1, "2" as unknown as number]), /found 2 at index 1/);
  assert.throws(() => mean([1, , 3] as unknown as number[]), /found undefined at index 1/);
  assert.throws(() => mean([]), /at least one of the values; found none/);
  assert.throws(() => mean(undefined as unknown as number[]), /an array of values/);
  assert.throws(() => rankData([1, Infinity]), /found Infinity at index 1/);
  assert.throws(() => rankConsistency([.5, NaN], [.5, .5]), /found NaN/);
  assert.throws(() => entropy([]), /found none/);
});

Deno.test("columns of different lengths are refused", () => {
  const short = [1, 2], long = [1, 2, 3];
  for (
    const call of [
      () => pearson(short, long),
      () => spearman(short, long),
      () => kendall(short, long),
      () => pairedDifference(short, long),
      () => pairedPermutationTest(short, long),
      () => klDivergence([.5, .5], [.3, .3, .4]),
      () => cosineSimilarity(short, long),
      () => rankConsistency(short, long),
      () => bootstrap(short, { paired: long }),
      () => brierScore([.5, .5], [1]),
      () => expectedCalibrationError([.5, .5], [1]),
    ]
  ) assert.throws(call, /same length/, String(call));
  assert.throws(
    () => clusteredStderr(long, [0, 1]),
    /a cluster label for each of 3 values; found 2/,
  );
  assert.throws(() => partialCorrelation(long, long, [short]), /give controls as columns/);
  assert.throws(
    () => varianceComponents([short, long]),
    /2 seeds for every item; found 3 in row 1/,
  );
});

Deno.test("probabilities that are none are refused", () => {
  assert.throws(() => klDivergence([.5, .4], [.5, .5]), /sum to 1 .*found a sum of 0.9/);
  assert.throws(() => klDivergence([.5, .5], [1.2, -.2]), /found -0.2 at index 1/);
  assert.doesNotThrow(() => klDivergence([.5, .5005], [.5, .5]));
  assert.throws(() => brierScore([1.5], [1]), /in \[0, 1\]; found 1.5/);
  assert.throws(() => brierScore([.5], [2]), /outcomes of 0 or 1; found 2/);
  assert.throws(() => brierScore([[.5, .5]], [2]), /a target in 0..1; found 2/);
  assert.throws(() => calibrationBins([.5], [1], { bins: 0 }), /bins to be an integer/);
  assert.throws(() => holm([.5, 1.5]), /p in \[0, 1\]; found 1.5 at index 1/);
  assert.throws(() => benjaminiHochberg([-.1]), /found -0.1/);
});

Deno.test("settings out of their range are refused", () => {
  assert.throws(() => meanInterval([1, 2], { confidence: 95 }), /between 0 and 1; found 95/);
  assert.throws(() => bootstrap([1, 2], { resamples: 0 }), /resamples to be an integer/);
  assert.throws(() => bootstrap([1, 2], { method: "t" as "bca" }), /percentile, basic or bca/);
  assert.throws(() => bootstrap([1, 2], { paired: [[1, 2], [3, 4]] }), /set statistic/);
  assert.throws(() => rankData([1], { method: "middle" as "min" }), /found middle/);
  assert.throws(() => clusteredStderr([1], [0], { correction: "CR2" as "CR1" }), /found CR2/);
  assert.throws(
    () => partialCorrelation([1, 2], [2, 1], [], { method: "kendall" as "pearson" }),
    /found kendall/,
  );
  assert.throws(() => wilsonInterval(5, 4), /at most n = 4 successes; found 5/);
  assert.throws(() => mcnemarTest([[1, 2]]), /2 x 2 table/);
  assert.throws(() => mcnemarTest([[1, 2], [.5, 2]]), /an integer of at least 0; found 0.5/);
  assert.throws(() => fisherInterval(1.1, 10), /r in \[-1, 1\]; found 1.1/);
  assert.throws(() => designEffect(0, .1), /clusterSize of at least 1/);
  assert.throws(() => requiredSampleSize({ effect: 0, differenceVariance: 1 }), /other than 0/);
  assert.throws(() => minimumDetectableEffect({ n: 0, differenceVariance: 1 }), /n of at least 1/);
});
