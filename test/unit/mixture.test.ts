import { againstBase, compareTreatments, fitRows } from "../../lib/study/comparisons.ts";
import {
  bestRatio,
  bestRatioRange,
  bestRatios,
  bestRatioShares,
  middleRatioFindings,
  mixtureCurve,
  mixtureKlFindings,
  mixtureRows,
  sharpness,
  verdictOfMiddle,
} from "../../lib/study/mixture.ts";
import type { CellResult } from "../../lib/cell.ts";
import { consistencyPoints, correlationsByModel, pooledCorrelation } from "../../lib/contrast.ts";
import { contextPlans, mainPlans, mixturePlans } from "../../lib/study/plans.ts";
import { findingText } from "../../lib/study/report.ts";
import { summaryText } from "../../lib/study/report.ts";

import { parseSettings } from "../../lib/study/settings.ts";
import type { Study } from "../../lib/study/study.ts";
import { madeCell } from "./_cells.ts";

import assert from "node:assert/strict";

const N = 40;

/** A cell that answers the first `right` of 40 questions, and half of its own targets. */
const made = (
  { right, kl = 0.1, ...cell }: Omit<Parameters<typeof madeCell>[0], "of">,
): CellResult => ({
  ...madeCell({
    ...{ ...cell, right, of: N, kl },
    cosine: 1 - kl,
    rank: right / N - 0.1 * Number((cell.domain ?? "history") === "history"),
    probabilities: Array.from({ length: N }, () => [0.5 + kl, 0.5 - kl]),
  }),
  fit: { n: 10, share: 0.5 },
});

/** Four models whose accuracy over r = 0, .4, 1 is `curve` plus something of their own. */
function mixtures(curve: readonly [number, number, number], kl = [0.3, 0.2, 0.1]): CellResult[] {
  return ["a", "b", "c", "d"].flatMap((model, m) =>
    [0, 0.4, 1].map((ratio, i) => made({ model, ratio, right: curve[i] + m % 2 * i, kl: kl[i] }))
  );
}

const bases = (models: string[]): Study["bases"] =>
  models.map((model) => ({
    model,
    digest: "",
    parameters: 1,
    answers: {
      "history/homo": Array.from({ length: N }, (_, id) => ({
        id,
        domain: "history",
        question: "?",
        choices: ["x", "y"],
        answer: 0,
        probabilities: [0.5, 0.5],
        predicted: 0,
        correct: id < 20,
        goldProbability: 0.5,
        predictedProbability: 0.5,
      })),
    },
  }));

Deno.test("mixtureCurve() is the mean over models, with seeds that have mixtures alone", () => {
  const cells = mixtures([10, 20, 30]);
  const extra = made({ seed: 1, ratio: 0, right: 40 }); // a seed without mixtures
  const curve = mixtureCurve([...cells, extra], "homo");
  assert.deepEqual(curve.map(({ ratio }) => ratio), [0, 0.4, 1]);
  assert.equal(curve[0].estimate.value, 25);
  assert.equal(curve[2].estimate.value, (30 + 32) / 2 / N * 100);
  assert.equal(curve[2].estimate.n, 4);
  assert.ok(curve[2].estimate.interval![0] < curve[2].estimate.value);
  const one = mixtureCurve(cells.filter(({ cell }) => cell.model === "a"), "homo");
  assert.equal(one[0].estimate.n, N);
  assert.ok(one[0].estimate.interval![0] > 0 && one[0].estimate.interval![1] < 60);
  assert.deepEqual(mixtureCurve(cells, "id"), []);
  const without = cells.filter(({ cell }) => cell.treatment !== "mix");
  assert.deepEqual(mixtureCurve(without, "homo").map(({ ratio }) => ratio), [0, 1]);
});

Deno.test("bestRatio() prefers a middle ratio among equal ones only", () => {
  const curve = (...values: number[]) =>
    values.map((value, i) => ({ ratio: [0, 0.4, 1][i], estimate: { value, n: 1 } }));
  assert.equal(bestRatio(curve(1, 2, 3)), 1);
  assert.equal(bestRatio(curve(1, 3, 3)), 0.4);
  assert.equal(bestRatio(curve(4, 3, 3)), 0);
  assert.equal(bestRatio([]), undefined);
});

Deno.test("bestRatioShares() is sure of a clear best ratio and splits a tie", () => {
  const clear = bestRatioShares(mixtures([10, 20, 30]), "homo", { resamples: 200 });
  assert.deepEqual(clear.map(({ share }) => share > 0.99), [false, false, true]);
  assert.deepEqual(bestRatioRange(clear), [1, 1]);
  const same = [0, 1].map((ratio) => made({ ratio, right: 20 }));
  const tied = bestRatioShares(same, "homo", { resamples: 50 });
  assert.deepEqual(tied.map(({ share }) => share), [0.5, 0.5]);
  assert.deepEqual(bestRatioRange(tied), [0, 1]);
  // Of one model the questions are drawn: one question's difference is no certainty.
  const close = [made({ ratio: 0, right: 20 }), made({ ratio: 1, right: 21 })];
  const share = bestRatioShares(close, "homo", { resamples: 500 })[1].share;
  assert.ok(share > 0.6 && share < 0.95, String(share));
});

Deno.test("mixtureRows() has a row for all models, each model, each domain and each ratio", () => {
  const cells = mixtures([10, 20, 30]).flatMap((one) => [
    { ...one, finetuning: { lastLoss: 0.5 } as CellResult["finetuning"] },
    { ...one, cell: { ...one.cell, domain: "law" }, finetuning: undefined },
  ]);
  const rows = mixtureRows(cells);
  assert.equal(rows.length, 5 * 3 * 3);
  const at = (model: string, domain: string) =>
    rows.filter((row) => row.model === model && row.domain === domain);
  const whole = at("all models", "all domains");
  assert.deepEqual(whole.map(({ ratio }) => ratio), [0, 0.4, 1]);
  assert.deepEqual(
    whole.map(({ accuracy }) => accuracy),
    mixtureCurve(cells, "homo")
      .map(({ estimate }) => estimate),
  );
  assert.deepEqual(whole.map(({ cells, loss }) => [cells, loss]), Array(3).fill([8, 0.5]));
  assert.deepEqual(
    at("b", "law").map(({ cells, loss }) => [cells, loss]),
    Array(3).fill([1, null]),
  );
  // Model b has one more right at .4, and two more at 1.
  const own = at("b", "history").map(({ accuracy }) => (accuracy as { value: number }).value);
  assert.deepEqual(own, [10, 21, 32].map((right) => 100 * right / N));
  assert.deepEqual(whole.map(({ base }) => (base as { value: number }).value), [50, 50, 50]);
  assert.deepEqual(whole.map(({ entropyChange }) => (entropyChange as { value: number }).value), [
    0,
    0,
    0,
  ]);
  const alone = mixtureRows(cells.filter(({ cell }) => cell.model === "a"));
  assert.deepEqual([...new Set(alone.map(({ model }) => model))], ["a"]);
  assert.deepEqual(mixtureRows([]), []);
});

Deno.test("bestRatios() gives the best ratio with its range, and how often each is the best", () => {
  const { best, shares } = bestRatios(mixtures([10, 20, 30]), { resamples: 100 });
  const accuracy = (30 + 32) / 2 / N * 100;
  assert.deepEqual(best, [{ test: "HOMO", ratio: { value: 1, interval: [1, 1] }, accuracy }]);
  assert.deepEqual(shares.map(({ ratio, best }) => [ratio, best]), [[0, 0], [0.4, 0], [1, 100]]);
  assert.deepEqual(bestRatios([]), { best: [], shares: [] });
});

Deno.test("sharpness() sets the entropies of SELF and INC and the way of KL side by side", () => {
  const cells = mixtures([10, 20, 30], [0.3, 0.1, 0.2]);
  for (const { cell, suites } of cells) {
    suites.homo!.entropy = cell.treatment === "self" ? 0.4 + cell.model.charCodeAt(0) / 1e4 : 1;
  }
  const [{ sharper, tau, leastAt, least, end, test }, ...rest] = sharpness(cells);
  // a to d are 97 to 100: 9.85 / 1000 on average.
  assert.ok(Math.abs((sharper as { value: number }).value + 0.6 - 0.00985) < 1e-9);
  // Of the three pairs of ratios two fall and one rises.
  assert.ok(Math.abs((tau as number) + 1 / 3) < 1e-9);
  assert.deepEqual([test, leastAt], ["HOMO", 0.4]);
  assert.ok(Math.abs((least as number) - 0.1) < 1e-9 && Math.abs((end as number) - 0.2) < 1e-9);
  assert.deepEqual(rest, []);
  const ends = cells.filter(({ cell }) => cell.treatment !== "mix");
  assert.equal(sharpness(ends)[0].tau, null);
});

Deno.test("middleRatioFindings() reads the rule: holds, does not hold, can't tell", () => {
  const verdict = (curve: [number, number, number]) => middleRatioFindings(mixtures(curve))[0];
  const peak = verdict([10, 30, 20]);
  assert.equal(peak.verdict, "holds");
  // The better end is SELF: 30 + {0, 1} against 20 + {0, 2}.
  assert.ok(Math.abs(peak.estimate.value - (10 + 9) / 2 / N * 100) < 1e-9);
  assert.match(peak.detail!, /best r = 0.4/);
  const rising = verdict([10, 20, 30]);
  assert.equal(rising.verdict, "does not hold");
  assert.match(rising.detail!, /best r = 1, best middle r = 0.4/);
  assert.ok(rising.estimate.value < 0 && rising.correctedP === undefined);
  assert.equal(verdict([10, 23, 22]).verdict, "can't tell");
  assert.equal(verdictOfMiddle(0.4, { value: 3, p: 0.04 }), "holds");
  assert.equal(verdictOfMiddle(0.4, { value: 3, p: 0.06 }), "can't tell");
  assert.equal(verdictOfMiddle(0, { value: 3, p: 0.001 }), "does not hold");
  const ends = mixtures([1, 2, 3]).filter(({ cell }) => cell.treatment !== "mix");
  assert.deepEqual(middleRatioFindings(ends), []);
});

Deno.test("mixtureKlFindings() holds INC against the most accurate ratio", () => {
  const models = ["a", "b", "c", "d"];
  const cells = mixtures([10, 20, 30]).map((one, i) => {
    const record = one.suites.homo!;
    return { ...one, suites: { homo: { ...record, kl: record.kl + i % 2 * 0.001 } } };
  });
  const [found] = mixtureKlFindings({ cells, bases: bases(models) });
  assert.ok(Math.abs(found.estimate.value - 0.2) < 0.01);
  assert.equal(found.verdict, "holds");
  assert.equal(found.unit, "nats");
  assert.match(findingText(found), /^\+0\.20 \[.*\] \(best r = 1\)$/);
  const turned = mixtureKlFindings({
    cells: mixtures([10, 20, 30], [0.1, 0.2, 0.3]),
    bases: bases(models),
  })[0];
  assert.equal(turned.verdict, "does not hold");
  // INC itself the best: there is nothing to compare.
  const [itself] = mixtureKlFindings({ cells: mixtures([30, 20, 10]), bases: bases(models) });
  assert.deepEqual(itself.estimate, { value: 0, n: 4 });
  assert.equal(itself.verdict, "can't tell");
  assert.match(itself.detail!, /INC itself/);
  // One model: over its questions, KL of each.
  const alone = mixtures([10, 20, 30]).filter(({ cell }) => cell.model === "a");
  const [own] = mixtureKlFindings({ cells: alone, bases: bases(["a"]) });
  const kl = (x: number) => 0.5 * Math.log(0.5 / (0.5 + x)) + 0.5 * Math.log(0.5 / (0.5 - x));
  assert.equal(own.over, "questions");
  assert.ok(Math.abs(own.estimate.value - (kl(0.3) - kl(0.1))) < 1e-9);
});

Deno.test("againstBase() and compareTreatments() pair models, and correct over all rows", () => {
  const cells = ["a", "b", "c"].flatMap((model, i) => [
    made({ model, treatment: "inc", right: 8 + i }),
    made({ model, treatment: "context", right: 19 + i }),
  ]);
  const [inc, con] = againstBase({ cells, bases: bases(["a", "b", "c"]) });
  // 8, 9, 10 of 40 right after INC and 20 before: -30, -27.5 and -25 points.
  assert.deepEqual([inc.comparison, inc.test, inc.n, inc.over], [
    "INC - base",
    "HOMO",
    3,
    "models",
  ]);
  assert.ok(Math.abs(inc.difference.value + 27.5) < 1e-9);
  // t = -27.5 / (2.5 / sqrt(3)) = -19.05 with 2 degrees of freedom: p = .00274; the smaller of two.
  assert.ok(Math.abs(inc.p! - 0.00274434) < 1e-6, String(inc.p));
  assert.ok(Math.abs(inc.correctedP! - 2 * inc.p!) < 1e-12);
  assert.equal(inc.direction, "below");
  // (t.975 + t.8) standard errors.
  const detectable = (4.302652729911275 + 1.0606601717798212) * 2.5 / Math.sqrt(3);
  assert.ok(Math.abs(inc.detectable! - detectable) < 1e-6);
  assert.deepEqual([con.comparison, con.direction], ["CON (INC) - base", "not told apart"]);
  assert.ok(Math.abs(con.difference.value) < 1e-9 && con.correctedP! > 0.99);
  const [pair, ...rest] = compareTreatments(cells, [["context", "inc"], ["har", "inc"]]);
  assert.deepEqual([pair.comparison, rest.length], ["CON (INC) - INC", 0]);
  assert.ok(Math.abs(pair.difference.value - 27.5) < 1e-9);
  const alone = againstBase({ cells: cells.slice(0, 2), bases: bases(["a"]) });
  assert.deepEqual(alone.map(({ over, n }) => [over, n]), [["questions", N], ["questions", N]]);
  assert.ok(Math.abs(alone[0].difference.value + 30) < 1e-9);
});

Deno.test("fitRows() is a mean over models, whatever their cells and items", () => {
  const fitted = (model: string, seed: number, n: number, share: number) => ({
    ...made({ model, seed, treatment: "har", right: 20 }),
    fit: { n, share },
  });
  const cells = [fitted("a", 0, 10, 1), fitted("a", 1, 10, 0.8), fitted("b", 0, 100, 0.5)];
  const [{ group, cells: count, items, given }] = fitRows(cells);
  assert.deepEqual([group, count, items, given.n], ["HAR", 3, 120, 2]);
  // (90 + 50) / 2; over items it would be 56.7.
  assert.ok(Math.abs(given.value - 70) < 1e-9 && given.interval![0] < 0);
  assert.deepEqual(fitRows(cells.slice(2))[0].given, { value: 50, n: 1 });
  assert.deepEqual(fitRows([madeCell({ treatment: "har", right: 1, of: 2 })]), []);
});

Deno.test("correlationsByModel() within domains is free of what differs between domains", () => {
  // Between domains consistency and accuracy go apart; within each they go together.
  const cells = [0, 0.4, 0.8, 1].flatMap((ratio, i) => [
    made({ ratio, right: 4 + 2 * i, domain: "history" }),
    made({ ratio, right: 30 + 2 * i, domain: "medicine" }),
  ]);
  for (const { cell, suites } of cells) {
    suites.homo!.rank = suites.homo!.accuracy - Number(cell.domain === "medicine");
  }
  const points = consistencyPoints(cells);
  const all = pooledCorrelation(correlationsByModel(points, { kind: "Spearman" }))!;
  const within = pooledCorrelation(correlationsByModel(points, { kind: "within domains" }))!;
  assert.ok(all.value < 0 && within.value > 0.999, `${all.value} ${within.value}`);
  const [{ correlation }] = correlationsByModel(points, { kind: "within domains" });
  assert.equal(correlation.df, points.length - 2 - 1);
  assert.deepEqual(correlationsByModel(points.slice(0, 4), { kind: "Spearman" }), []);
});

Deno.test("summaryText() says below the findings what did not come out", () => {
  const found = middleRatioFindings(mixtures([10, 20, 30]));
  const versions = { deno: "1", tfjs: "2", package: "3" };
  const study = {
    plans: [],
    backend: { name: "cpu" as const, precision: "float32" as const, device: "cpu", versions },
  };
  const text = summaryText(found, { study, warnings: ["few"] });
  assert.match(text, /WARNING: few/);
  assert.match(text, /middle ratio +HOMO .*does not hold/);
  assert.match(
    text,
    /What did not come out as in the paper:\n- middle ratio on HOMO does not hold/,
  );
});

Deno.test("mixturePlans() and contextPlans() ask for cells of the main plans, and for controls", async () => {
  const settings = parseSettings("{}");
  const [main] = await mainPlans(settings);
  const [mixed] = await mixturePlans(settings);
  assert.deepEqual([...mixed.treatments].sort(), ["inc", "mix", "self"]);
  assert.deepEqual([mixed.seeds, mixed.ratios], [main.seeds, main.ratios]);
  const [context] = await contextPlans(settings);
  assert.deepEqual(
    context.treatments,
    ["har", "inc", "self", "context", "general", "context-har"],
  );
  const real = parseSettings(`{"model": "a/model"}`);
  assert.deepEqual((await contextPlans(real))[0].treatments, ["har", "inc", "self", "context"]);
  assert.deepEqual((await mixturePlans(real))[0].treatments, ["inc", "self"]);
  const full = parseSettings(`{"model": "a/model", "full": true}`);
  const [whole] = await contextPlans(full);
  assert.ok(whole.treatments.includes("general") && !whole.treatments.includes("mix"));
  assert.deepEqual(new Set(whole.treatments).size, whole.treatments.length);
  const quick = parseSettings(`{"quick": true}`);
  assert.deepEqual((await mixturePlans(quick))[0].ratios, [0, 0.4, 1]);
});
