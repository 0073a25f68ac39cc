/** Properties that hold for any data, checked on simulated data with fixed seeds. */
import assert from "node:assert/strict";
import { Random } from "../../lib/statistics/random.ts";
import { bootstrap } from "../../lib/statistics/bootstrap.ts";
import { intraclassCorrelation, varianceComponents } from "../../lib/statistics/variance.ts";
import { jensenShannonDivergence, klDivergence } from "../../lib/statistics/divergence.ts";
import {
  kendall,
  partialCorrelation,
  pearson,
  rankResidualSpearman,
  spearman,
} from "../../lib/statistics/correlation.ts";
import { meanInterval } from "../../lib/statistics/mean.ts";
import { pairedDifference, pairedPermutationTest, tTest } from "../../lib/statistics/hypothesis.ts";
import { rankConsistency } from "../../lib/statistics/rank.ts";
import { wilsonInterval } from "../../lib/statistics/proportion.ts";

const RUNS = 2000;

function within(share: number, low: number, high: number, what: string) {
  assert.ok(share >= low && share <= high, `${what}: ${share} is not in [${low}, ${high}]`);
}

const covers = (interval: readonly [number, number], truth: number) =>
  interval[0] <= truth && truth <= interval[1] ? 1 : 0;

/** An evaluation of 40 texts with 10 questions each, right or wrong: mean .6, ICC .22. */
function evaluation(random: Random): { scores: number[]; clusters: number[] } {
  const scores: number[] = [], clusters: number[] = [];
  for (let text = 0; text < 40; text++) {
    const chance = .2 + .8 * random.next();
    for (let question = 0; question < 10; question++) {
      scores.push(random.next() < chance ? 1 : 0);
      clusters.push(text);
    }
  }
  return { scores, clusters };
}

Deno.test("95% intervals cover in 93.5 to 96.5% when clustered, below 85% when naive", () => {
  const random = new Random("coverage");
  let clustered = 0, naive = 0;
  for (let run = 0; run < RUNS; run++) {
    const { scores, clusters } = evaluation(random);
    clustered += covers(meanInterval(scores, { clusters }).interval, .6);
    naive += covers(meanInterval(scores).interval, .6);
  }
  within(clustered / RUNS, .935, .965, "clustered");
  within(naive / RUNS, 0, .85, "naive");
});

Deno.test("pairedDifference() covers over clusters, where the naive interval fails", () => {
  const random = new Random("paired coverage");
  let clustered = 0, naive = 0;
  for (let run = 0; run < RUNS; run++) {
    const { scores: a, clusters } = evaluation(random), b = evaluation(random).scores;
    clustered += covers(pairedDifference(a, b, { clusters }).interval, 0);
    naive += covers(pairedDifference(a, b).interval, 0);
  }
  within(clustered / RUNS, .935, .965, "clustered");
  within(naive / RUNS, 0, .85, "naive");
});

Deno.test("meanInterval() over few worlds covers, since it takes Student's t", () => {
  const random = new Random("worlds");
  let covered = 0;
  for (let run = 0; run < RUNS; run++) {
    covered += covers(meanInterval(Array.from({ length: 4 }, () => random.normal())).interval, 0);
  }
  within(covered / RUNS, .935, .965, "four worlds");
});

Deno.test("wilsonInterval() covers on average over shares", () => {
  const random = new Random("shares");
  let covered = 0;
  for (let run = 0; run < RUNS; run++) {
    const share = random.next();
    let right = 0;
    for (let i = 0; i < 40; i++) right += random.next() < share ? 1 : 0;
    covered += covers(wilsonInterval(right, 40), share);
  }
  within(covered / RUNS, .935, .965, "Wilson");
});

Deno.test("bootstrap() intervals cover, over clusters as well, where the naive ones fail", () => {
  const random = new Random("bootstrap coverage"), runs = 500;
  let clustered = 0, naive = 0;
  for (let run = 0; run < runs; run++) {
    const { scores, clusters } = evaluation(random);
    const options = { resamples: 500, seed: run };
    clustered += covers(bootstrap(scores, { ...options, clusters }).interval, .6);
    naive += covers(bootstrap(scores, options).interval, .6);
  }
  // 500 runs: the share's own standard error is .01.
  within(clustered / runs, .915, .975, "clustered");
  within(naive / runs, 0, .85, "naive");
});

/** Kolmogorov's distance between the values and the uniform distribution on [0, 1]. */
function distanceToUniform(values: number[]): number {
  const sorted = values.slice().sort((a, b) => a - b), n = values.length;
  return Math.max(...sorted.map((value, i) => Math.max((i + 1) / n - value, value - i / n)));
}

Deno.test("p of pairedPermutationTest() and tTest() is uniform under the null", () => {
  const random = new Random("null");
  const permutation: number[] = [], student: number[] = [];
  for (let run = 0; run < 1000; run++) {
    const a = Array.from({ length: 25 }, () => random.normal());
    const b = Array.from({ length: 25 }, () => random.normal());
    permutation.push(pairedPermutationTest(a, b, { resamples: 999, seed: run }).p);
    student.push(tTest(a).p);
  }
  // Kolmogorov's 1% bound is 1.63 / sqrt(n).
  within(distanceToUniform(permutation), 0, 1.63 / Math.sqrt(1000), "permutation");
  within(distanceToUniform(student), 0, 1.63 / Math.sqrt(1000), "t");
});

Deno.test("p of partialCorrelation() is uniform under the null; with n - 2 too small", () => {
  const random = new Random("partial null");
  const p: number[] = [], authors: number[] = [];
  for (let run = 0; run < 1000; run++) {
    const draw = () => Array.from({ length: 9 }, () => random.normal());
    const controls = [draw(), draw(), draw()];
    const tied = (noise: number[]) => noise.map((v, i) => v + controls[0][i] - controls[1][i]);
    const x = tied(draw()), y = tied(draw());
    p.push(partialCorrelation(x, y, controls).p);
    authors.push(rankResidualSpearman(x, y, controls).p);
  }
  within(distanceToUniform(p), 0, 1.63 / Math.sqrt(1000), "partial");
  within(authors.filter((value) => value < .05).length / 1000, .065, 1, "false alarms with n - 2");
});

function columns(seed: string, n: number): number[][] {
  const random = new Random(seed);
  return Array.from({ length: 4 }, () => Array.from({ length: n }, () => random.normal()));
}

Deno.test("partialCorrelation() without controls is the plain correlation", () => {
  const [x, y] = columns("plain", 30), tied = x.map((value) => Math.round(value));
  assert.deepEqual(rounded(partialCorrelation(x, y, [])), rounded(pearson(x, y)));
  const ranked = partialCorrelation(tied, y, [], { method: "spearman" });
  assert.deepEqual(rounded(ranked), rounded(spearman(tied, y)));
  assert.deepEqual(rounded(rankResidualSpearman(tied, y, [])), rounded(spearman(tied, y)));
});

/** To 12 digits, so that the order of additions doesn't show. */
function rounded(value: { r: number; p: number; df: number; interval: number[] }) {
  const { r, p, df, interval } = value;
  return [r, p, df, ...interval].map((number) => Number(number.toPrecision(12)));
}

Deno.test("partialCorrelation() is the textbook's formula for one control", () => {
  const [x, y, z] = columns("formula", 20);
  const xy = pearson(x, y).r, xz = pearson(x, z).r, yz = pearson(y, z).r;
  const expected = (xy - xz * yz) / Math.sqrt((1 - xz ** 2) * (1 - yz ** 2));
  assert.ok(Math.abs(partialCorrelation(x, y, [z]).r - expected) < 1e-12);
});

Deno.test("a control that others explain changes neither r nor the degrees of freedom", () => {
  const [x, y, z, w] = columns("redundant", 20);
  const both = z.map((value, i) => 3 * value - 2 * w[i] + 5), constant = z.map(() => 7);
  const expected = rounded(partialCorrelation(x, y, [z, w]));
  assert.deepEqual(rounded(partialCorrelation(x, y, [z, w, both, constant])), expected);
});

Deno.test("rank correlations are unchanged by monotone maps, and turn with falling ones", () => {
  const [x, y, z] = columns("monotone", 25);
  const grow = (values: number[]) => values.map((value) => Math.exp(3 * value) - 40);
  const fall = (values: number[]) => values.map((value) => -(value ** 3));
  const spearmanOf = { method: "spearman" } as const;
  for (
    const of of [
      (a: number[], b: number[], _: number[]) => spearman(a, b).r,
      (a: number[], b: number[], _: number[]) => kendall(a, b).tau,
      (a: number[], b: number[], c: number[]) => partialCorrelation(a, b, [c], spearmanOf).r,
      (a: number[], b: number[], c: number[]) => rankResidualSpearman(a, b, [c]).r,
      (a: number[], b: number[], _: number[]) => rankConsistency(a, b),
    ]
  ) {
    const plain = of(x, y, z);
    assert.ok(Math.abs(of(grow(x), y, grow(z)) - plain) < 1e-12, String(of));
    assert.ok(Math.abs(of(fall(x), y, z) + plain) < 1e-12, String(of));
    assert.ok(Math.abs(of(fall(x), fall(y), z) - plain) < 1e-12, String(of));
  }
});

Deno.test("correlations are symmetric and unchanged by the items' order", () => {
  const [x, y, z] = columns("order", 12);
  const order = new Random("order").shuffle(x.map((_, i) => i));
  const turn = (values: number[]) => order.map((i) => values[i]);
  const expected = rounded(partialCorrelation(x, y, [z]));
  assert.deepEqual(rounded(partialCorrelation(y, x, [z])), expected);
  assert.deepEqual(rounded(partialCorrelation(turn(x), turn(y), [turn(z)])), expected);
});

Deno.test("divergences are 0 for equal distributions, positive else; JSD is at most ln 2", () => {
  const random = new Random("divergence");
  const draw = () => {
    const weights = Array.from({ length: 4 }, () => -Math.log(1 - random.next()));
    const sum = weights.reduce((total, weight) => total + weight);
    return weights.map((weight) => weight / sum);
  };
  for (let i = 0; i < 200; i++) {
    const p = draw(), q = draw();
    assert.equal(klDivergence(p, p), 0);
    assert.ok(klDivergence(p, q) > 0);
    assert.equal(klDivergence(new Float32Array(p), new Float32Array(p)), 0);
    const js = jensenShannonDivergence(p, q);
    assert.ok(js > 0 && js <= Math.LN2 && js <= (klDivergence(p, q) + klDivergence(q, p)) / 4);
  }
});

Deno.test("intraclassCorrelation() and varianceComponents() find how data were made", () => {
  const random = new Random("components");
  const items = 400, seeds = 6, table: number[][] = [];
  const runs = Array.from({ length: seeds }, () => random.normal() * .5);
  for (let i = 0; i < items; i++) {
    const level = 2 * random.normal();
    table.push(runs.map((run) => level + run + random.normal()));
  }
  const found = varianceComponents(table);
  within(found.items, 3.4, 4.6, "items");
  within(found.residual, .9, 1.1, "residual");
  const clusters = table.flatMap((row, i) => row.map(() => i));
  within(intraclassCorrelation(table.flat(), clusters), .72, .82, "ICC");
});

Deno.test("bootstrap() of a mean has the standard error of the formula, for any seed", () => {
  const random = new Random("many"), x = Array.from({ length: 500 }, () => random.normal());
  const center = x.reduce((sum, value) => sum + value) / 500;
  const truth = Math.sqrt(x.reduce((sum, value) => sum + (value - center) ** 2, 0)) / 500;
  for (let seed = 0; seed < 20; seed++) {
    const found = bootstrap(x, { seed, method: "percentile" });
    // The standard deviation of 10,000 draws is known to 0.7%; 4 such steps.
    within(found.stderr / truth, .972, 1.028, `seed ${seed}`);
    within(found.bias / truth, -.04, .04, `bias, seed ${seed}`);
  }
});
