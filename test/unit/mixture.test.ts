import { againstBase, compareTreatments } from "../../lib/study/comparisons.ts";
import {
  bestRatio,
  bestRatioRange,
  bestRatioShares,
  middleRatioFindings,
  mixtureCurve,
  mixtureKlFindings,
  verdictOfMiddle,
} from "../../lib/study/mixture.ts";
import type { CellResult } from "../../lib/cell.ts";
import {
  consistencyPoints,
  correlationOverModels,
  correlationsByModel,
} from "../../lib/contrast.ts";
import { contextPlans, mainPlans, mixturePlans } from "../../lib/study/plans.ts";
import { summaryText } from "../../lib/study/report.ts";
import { findingText } from "../../lib/findings.ts";
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
  const rows = againstBase({ cells, bases: bases(["a", "b", "c"]) });
  const inc = rows.find(({ comparison }) => comparison === "INC - base")!;
  assert.ok(Math.abs(inc.difference.value - (9 / N - 0.5) * 100) < 1e-9);
  assert.ok(inc.correctedP! > inc.difference.p! && inc.over === "models");
  const con = rows.find(({ comparison }) => comparison === "CON (INC) - base")!;
  assert.ok(Math.abs(con.difference.value) < 1e-9 && con.difference.detectable! > 0);
  const [pair] = compareTreatments(cells, [["context", "inc"], ["har", "inc"]]);
  assert.ok(Math.abs(pair.difference.value - 11 / N * 100) < 1e-9);
  const alone = { cells: cells.slice(0, 2), bases: bases(["a"]) };
  assert.deepEqual(againstBase(alone).map(({ over }) => over), ["questions", "questions"]);
  assert.ok(Math.abs(againstBase(alone)[0].difference.value - (8 / N - 0.5) * 100) < 1e-9);
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
  const all = correlationOverModels(points, { kind: "Spearman" })!;
  const within = correlationOverModels(points, { kind: "within domains" })!;
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
  assert.equal(main.mixtureSeeds, undefined); // every seed, as the rule has it
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
