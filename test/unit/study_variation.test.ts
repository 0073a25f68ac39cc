import { runVariations } from "../../lib/study/run.ts";
import type { Measurement } from "../../lib/figure/number.ts";
import { answerFrom } from "../../lib/question.ts";
import { organismModel } from "../../lib/organism/pretrain.ts";
import { openBackend } from "../../lib/platform/runtime/backend.ts";
import { cellExamples } from "../../lib/experiment.ts";
import type { CellResult } from "../../lib/cell.ts";
import {
  factKindContrasts,
  factKindSweep,
  groupEffects,
  groupSizeSweep,
  learningRateSweep,
  type VariationResult,
  variationRows,
  variationTable,
  variedPlan,
} from "../../lib/study/variation.ts";
import { basePlan, doseGrid, dosePlan } from "../../lib/study/plans.ts";
import { parseSettings } from "../../lib/study/settings.ts";
import type { StudyPlan } from "../../lib/study/plan.ts";
import { runPlan, type StudyProgress } from "../../lib/study/study.ts";
import { worldMaterial } from "../../lib/study/material.ts";
import { createWorld } from "../../lib/world/world.ts";
import { exam } from "../../lib/world/exam.ts";
import { initialParameters } from "../../lib/organism/initial.ts";
import { organismFormat } from "../../lib/world/format.ts";
import { pretrainingSizes } from "../../lib/world/settings.ts";
import { worldTokenizer } from "../../lib/organism/pretrain.ts";

import assert from "node:assert/strict";

const world = createWorld({
  seed: 5,
  settings: { domains: ["history", "medicine"], entities: 30, mc: 20, train: 60, homo: 12, id: 12 },
});

const material = worldMaterial(world, { domains: ["history"] });

const plan: StudyPlan = { models: ["m"], treatments: ["har", "inc", "mix"], seeds: [0] };

// Every second question is answered right, the others with the option after the gold one.
const answers = exam(world, { domain: "history", split: "train" }).map((question, i) => {
  const probabilities = [0.1, 0.1, 0.1, 0.1];
  probabilities[(question.answer + i % 2) % 4] = 0.7;
  return answerFrom(question, probabilities);
});

const parts = { answers, general: material.general, format: organismFormat, kinds: material.kinds };

const cell = { model: "m", domain: "history", treatment: "inc" as const, seed: 0 };

const ids = (changes: object) =>
  cellExamples({ ...cell, ...changes }, parts).group.map(({ id }) => id);

Deno.test("cellExamples() cuts a group to its size, a smaller one within a larger", () => {
  const [quarter, half, all] = [0.25, 0.5, 1].map((size) => ids({ size }));
  assert.deepEqual([quarter.length, half.length, all.length], [8, 15, 30]);
  assert.deepEqual(all, ids({}));
  assert.ok(quarter.every((id) => half.includes(id)) && half.every((id) => all.includes(id)));
  assert.deepEqual(ids({ size: 0.5, treatment: "self" }), half);
  assert.notDeepEqual(ids({ size: 0.5, seed: 1 }), half);
  assert.equal(ids({ size: 0.5, treatment: "har" }).length, 15);
  assert.equal(ids({ count: 7 }).length, 7);
  assert.equal(ids({ count: 70 }).length, 30);
  const { examples } = cellExamples({ ...cell, treatment: "general", size: 0.25 }, parts);
  assert.throws(
    () =>
      cellExamples({ ...cell, treatment: "general", size: 0.25 }, {
        ...parts,
        general: parts.general.slice(0, 15), // enough to mix into a group of 8
      }),
    /expected at least 16; found 15; give more/,
  );
  assert.equal(examples.length, 16);
  for (const wrong of [{ size: 0 }, { size: 1.1 }, { size: NaN }, { count: 0 }]) {
    assert.throws(() => ids(wrong), /Cannot cut a group: expected a size above 0/);
  }
});

Deno.test("cellExamples() has no group with context where all that is given is blank", () => {
  const blank = answers.map((answer) => ({ ...answer, context: " ", explanation: "" }));
  const found = cellExamples({ ...cell, treatment: "context" }, { ...parts, answers: blank });
  assert.match(found.empty!, /^30 of 30 questions have neither context nor explanation/);
});

Deno.test("cellExamples() takes wrong answers about facts of one kind, and right ones of any", () => {
  const statuses = (found: (string | number)[]) =>
    new Set(found.map((id) => material.kinds!.get(id)));
  let total = 0;
  for (const items of ["misconceived", "unknown", "known"] as const) {
    const found = ids({ items });
    assert.deepEqual([...statuses(found)], [items]);
    assert.deepEqual(ids({ items, treatment: "self" }), found);
    assert.equal(ids({ items, treatment: "har" }).length, found.length);
    total += found.length;
  }
  assert.equal(total, 30);
  assert.equal(statuses(ids({ items: "unknown", treatment: "har" })).has("known"), true);
  assert.throws(
    () => cellExamples({ ...cell, items: "unknown" }, { ...parts, kinds: undefined }),
    /Cannot choose unknown facts: expected questions of an organism's world/,
  );
});

Deno.test("a variation changes a plan; all of a group is the plan's own cell", () => {
  assert.deepEqual(learningRateSweep({ learningRates: [1e-4, 1e-3], epochs: [1, 3] }).slice(0, 2), [
    { learningRate: 1e-4, epochs: 1 },
    { learningRate: 1e-4, epochs: 3 },
  ]);
  assert.deepEqual(groupSizeSweep({ sizes: [0.25, 1] }), [{ size: 0.25 }, { size: 1 }]);
  assert.deepEqual(factKindSweep({ count: 5 }).map(({ items }) => items), [
    undefined,
    "misconceived",
    "unknown",
    "known",
  ]);
  assert.deepEqual(
    variedPlan({ ...plan, finetuning: { batchSize: 8 } }, { epochs: 6, size: 0.5 }),
    { ...plan, treatments: ["har", "inc"], size: 0.5, finetuning: { batchSize: 8, epochs: 6 } },
  );
  assert.deepEqual(variedPlan(plan, { size: 1 }), { ...plan, treatments: ["har", "inc"] });
});

/** `right` of 20 questions right, of a model whose base has 10. */
function made(model: string, treatment: "har" | "inc" | "self", right: number): CellResult {
  const correct = Array.from({ length: 20 }, (_, i) => Number(i < right));
  return {
    cell: { ...cell, model, treatment },
    size: 6,
    sizes: {} as CellResult["sizes"],
    fit: { n: 6, share: 0.5 },
    suites: {
      homo: {
        ...{ n: 20, accuracy: right / 20, interval: [0, 1], baseAccuracy: 0.5, kl: 0, cosine: 1 },
        ...{ rank: 1, entropy: 1, baseEntropy: 1, lost: 0, gained: 0, correct, probabilities: [] },
        items: correct.map((_, i) => `history/${i}`),
      },
    },
    seconds: 1,
  };
}

Deno.test("dosePlan() asks small organisms on one domain and seed, whatever the model", async () => {
  const settings = (changes: object) => parseSettings(JSON.stringify(changes));
  const standard = await dosePlan(settings({}));
  assert.ok(standard.models.length > 1);
  assert.ok(standard.models.every((name) => name.startsWith("organism:small-")));
  assert.deepEqual([standard.domains, standard.seeds], [["history"], [0]]);
  assert.deepEqual((await dosePlan(settings({ model: "a/model" }))).models, standard.models);
  const own = await dosePlan(settings({ model: "organism:small-101", domains: ["medicine"] }));
  assert.deepEqual([own.models, own.domains], [["organism:small-101"], ["medicine"]]);
  const full = await dosePlan(settings({ full: true }));
  assert.deepEqual([full.domains, full.seeds], [undefined, [0, 1, 2]]);
  const bases = await basePlan(settings({ domains: ["medicine"] }));
  assert.deepEqual([bases.models, bases.domains, bases.seeds], [[], undefined, [0]]);
  const rates = [{}, { model: "organism:small-101" }, { model: "a/model" }]
    .map((changes) => doseGrid(settings(changes)).learningRates.length);
  assert.deepEqual(rates, [3, 2, 3]);
});

Deno.test("a variation of other base models has these models", () => {
  const columns = { checkpoint: 50, gate: "FAILED" };
  const variation = { bases: { models: ["x", "y"], columns }, count: 5 };
  const changed = variedPlan({ ...plan, finetuning: { epochs: 2 } }, variation);
  assert.deepEqual([changed.models, changed.count], [["x", "y"], 5]);
  assert.equal("bases" in changed, false);
});

/** A base of which `right` of 20 answers are right. */
function base(model: string, right = 10) {
  const answered = Array.from({ length: 20 }, (_, i) =>
    answerFrom(
      { id: String(i), domain: "history", question: "?", choices: ["a", "b"], answer: 0 },
      i < right ? [0.9, 0.1] : [0.1, 0.9],
    ));
  return { model, digest: "", parameters: 1, answers: { "history/homo": answered } };
}

/** No answer of n differs: the exact bound of the share that does. */
function zeroInterval(n: number): [number, number] {
  const most = 100 * (1 - 0.025 ** (1 / n));
  return [-most, most];
}

/** The mean of 20 differences, k of them -100, with Student's quantile for 19 degrees of freedom. */
function lostInterval(k: number): [number, number] {
  const half = 2.0930240544 * 100 * Math.sqrt(k / 20 * (1 - k / 20) / 19);
  return [-5 * k - half, -5 * k + half];
}

const near = (found: unknown, expected: readonly number[]) =>
  (found as number[]).forEach((value, i) => assert.ok(Math.abs(value - expected[i]) < 1e-6));

Deno.test("variationRows() of one model are over its questions", () => {
  const cells = [made("a", "inc", 6), made("a", "har", 10)];
  const variation = { learningRate: 1e-3, epochs: 3 };
  const [row] = variationRows([{ variation, cells, bases: [base("a")] }]);
  assert.deepEqual(Object.keys(row).slice(0, 3), ["learningRate", "epochs", "test"]);
  const change = row["INC - base"] as { value: number; interval: [number, number]; n: number };
  near([change.value, ...change.interval], [-20, ...lostInterval(4)]);
  assert.equal(change.n, 20);
  assert.deepEqual(row["HAR - base"], { value: 0, interval: zeroInterval(20), n: 20 });
  assert.ok(Math.abs((row.base as { value: number }).value - 50) < 1e-9);
  assert.equal(row["SELF - INC"], null);
});

Deno.test("variationRows() of several models are over them, and are shown and compared", () => {
  const results = learningRateSweep({ learningRates: [1e-4, 1e-3], epochs: [1, 3] }).map(
    (variation): VariationResult => {
      const strength = variation.learningRate! * 1e3 * variation.epochs!;
      const cells = ["a", "b"].flatMap((model) => [
        made(model, "inc", 10 - Math.round(2 * strength)),
        made(model, "har", 10),
      ]);
      return { variation, cells, bases: [base("a"), base("b")] };
    },
  );
  const rows = variationRows(results), last = rows.at(-1)!;
  assert.deepEqual([last.learningRate, last.epochs, last.test], [1e-3, 3, "HOMO"]);
  assert.deepEqual([last.items, last.empty, last.fit, last["SELF - INC"]], [6, 0, 50, null]);
  near([(last["INC - base"] as { value: number }).value], [-30]);
  const difference = last["HAR - INC"] as { value: number; n: number };
  near([difference.value, difference.n], [30, 2]);
  const varied = ["learningRate", "epochs"];
  const table = variationTable(rows, { varied, measures: ["INC - base", "HAR - INC"] });
  assert.deepEqual(table.columns.map(({ key }) => key), [
    ...[...varied, "test", "items", "empty", "fit"],
    ...["INC - base", "HAR - INC"],
  ]);
});

Deno.test("groupEffects() and factKindContrasts() compare groups and kinds of facts", () => {
  const [bases, har] = [[base("a")], made("a", "har", 10)];
  const result = { variation: {}, cells: [har, made("a", "inc", 6)], bases };
  const effects = groupEffects(result).filter(({ test }) => test === "HOMO");
  assert.deepEqual(effects.map(({ group }) => group), ["HAR", "INC"]);
  const [ofHar, ofInc] = effects;
  assert.deepEqual(ofHar["minus base"], { value: 0, interval: zeroInterval(20), n: 20 });
  near([(ofHar["minus INC"] as { value: number }).value], [20]);
  near((ofInc["minus base"] as Measurement).interval, lostInterval(4));
  assert.equal(ofInc["minus INC"], null);

  const of = (items: "misconceived" | "unknown", right: number): VariationResult => ({
    ...{ variation: { items, count: 6 }, bases, cells: [made("a", "inc", right)] },
  });
  const pairs = [["misconceived", "unknown"], ["known", "unknown"]] as const;
  const [found, ...more] = factKindContrasts([of("misconceived", 6), of("unknown", 10)], pairs);
  assert.deepEqual(more, []); // no cell has known facts
  assert.deepEqual([found.comparison, found.test], ["misconceived - unknown", "HOMO"]);
  const { value, interval } = found.difference as { value: number; interval: [number, number] };
  near([value, ...interval], [-20, ...lostInterval(4)]);
});

Deno.test("runVariations() stores its cells as the study does; the study's own is not computed twice", async () => {
  await openBackend();
  const store = await Deno.makeTempDir();
  const settings = { ...pretrainingSizes.small, width: 16, heads: 2, layers: 1, mlpWidth: 16 };
  const { vocabularySize } = worldTokenizer(world);
  const open = () =>
    Promise.resolve({
      model: organismModel(
        world,
        settings,
        initialParameters(settings, { vocabularySize, seed: 3 }),
      ),
      material,
    });
  const one: StudyPlan = { ...plan, treatments: ["inc"], minimumConfidence: 0 };
  try {
    const study = await runPlan(one, { open, store });
    let reused = 0, done = 0;
    const options = {
      ...{ settings: parseSettings(), open, store },
      onProgress: (state: StudyProgress) => {
        if (state.note !== "done") return;
        done++;
        reused += Number(state.reused);
        assert.equal(state.done, (done - 1) % 3 + 1);
        assert.equal(state.total, 3);
      },
    };
    const variations = [
      { learningRate: 1e-3, epochs: 3 },
      { epochs: 1 },
      { items: "unknown" as const },
    ];
    const results = await runVariations(one, variations, options);
    assert.deepEqual([done, reused], [3, 1]);
    assert.deepEqual(results[0].cells, study.cells);
    assert.equal(results[1].cells[0].finetuning!.settings.epochs, 1);
    const unknown = results[2].cells[0];
    assert.ok(unknown.size > 0 && unknown.size < study.cells[0].size);
    assert.equal(unknown.cell.items, "unknown");
    await runVariations(one, variations, options);
    assert.deepEqual([done, reused], [6, 4]);
  } finally {
    await Deno.remove(store, { recursive: true });
  }
});
