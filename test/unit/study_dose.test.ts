import { describeFigure } from "../../lib/figure/describe.ts";
import { doseHeatMap, doseTable } from "../../lib/figure/dose.ts";
import { joined } from "../../lib/study/dose_run.ts";
import { answerFrom } from "../../lib/question.ts";
import { organismModel } from "../../lib/organism/pretrain.ts";
import { openBackend } from "../../lib/platform/runtime/backend.ts";
import { cellExamples } from "../../lib/experiment.ts";
import type { CellResult } from "../../lib/cell.ts";
import {
  compositionDoses,
  doseLabel,
  dosePlan,
  type DoseResult,
  doseRows,
  rateDoses,
  runDoses,
  sizeDoses,
} from "../../lib/study/dose.ts";
import { runStudy } from "../../lib/study/run.ts";
import type { StudyPlan } from "../../lib/study/plan.ts";
import { worldMaterial } from "../../lib/study/material.ts";
import { createWorld } from "../../lib/world/world.ts";
import { exam } from "../../lib/world/exam.ts";
import { initialParameters } from "../../lib/world/pretraining.ts";
import { organismFormat } from "../../lib/world/format.ts";
import { pretrainingSizes } from "../../lib/world/pretraining_settings.ts";
import { worldTokenizer } from "../../lib/world/vocabulary.ts";

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
  assert.equal(examples.length, 16);
  for (const wrong of [{ size: 0 }, { size: 1.1 }, { size: NaN }, { count: 0 }]) {
    assert.throws(() => ids(wrong), /Cannot cut a group: expected a size above 0/);
  }
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

Deno.test("doses change a plan, and say so in words", () => {
  assert.deepEqual(rateDoses().map(doseLabel).slice(0, 2), ["1e-4, 1 epoch", "1e-4, 3 epochs"]);
  assert.deepEqual(sizeDoses().map(doseLabel), [
    "25% of the items",
    "50% of the items",
    "as the study",
  ]);
  assert.deepEqual(compositionDoses().map(doseLabel), [
    "all kinds, at most 20 items",
    "misconceived, at most 20 items",
    "unknown, at most 20 items",
    "known but missed, at most 20 items",
  ]);
  assert.deepEqual(
    dosePlan({ ...plan, finetuning: { batchSize: 8 } }, { epochs: 6, size: 0.5 }),
    {
      ...plan,
      treatments: ["har", "inc"],
      size: 0.5,
      finetuning: { batchSize: 8, epochs: 6 },
    },
  );
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

Deno.test("doses of other base models have these models and their name", () => {
  const dose = { base: { label: "half trained", models: ["x", "y"] }, count: 5 };
  assert.equal(doseLabel(dose), "half trained, all kinds, at most 5 items");
  const changed = dosePlan({ ...plan, finetuning: { epochs: 2 } }, dose);
  assert.deepEqual([changed.models, changed.count], [["x", "y"], 5]);
  assert.equal("base" in changed, false);
  // What differs in models alone is filled together.
  const other = dosePlan(plan, { base: { label: "whole", models: ["y", "z"] } });
  const groups = joined([
    dosePlan(plan, dose),
    other,
    dosePlan(plan, { ...dose, base: undefined }),
  ]);
  assert.deepEqual(groups.map(({ models }) => models), [["x", "y", "m"], ["y", "z"]]);
});

Deno.test("doseRows() gives a single model's changes an interval where its base is known", () => {
  const cells = [made("a", "inc", 6), made("a", "har", 10)];
  const answered = cells[0].suites.homo!.items.map((_, i) => ({
    ...answerFrom(
      { id: String(i), domain: "history", question: "?", choices: ["a", "b"], answer: 0 },
      i < 10 ? [0.9, 0.1] : [0.1, 0.9],
    ),
  }));
  const bases = [{ model: "a", digest: "", parameters: 1, answers: { "history/homo": answered } }];
  const [row] = doseRows([{ dose: {}, cells, bases }], ["homo"]);
  const change = row["INC - base"] as { value: number; interval: [number, number]; n: number };
  assert.ok(Math.abs(change.value + 20) < 1e-9, "4 of 20 answers were lost");
  assert.equal(change.n, 20);
  // The mean of 20 differences, 4 of them -100, with Student's quantile for 19 degrees of freedom.
  const half = 2.0930240544 * 100 * Math.sqrt(0.2 * 0.8 / 19);
  assert.ok(Math.abs(change.interval[0] - (-20 - half)) < 1e-6, String(change.interval));
  assert.deepEqual(row["HAR - base"], { value: 0, interval: zeroInterval(20), n: 20 });
  assert.ok(Math.abs((row.base as { value: number }).value - 50) < 1e-9);
  const [plain] = doseRows([{ dose: {}, cells }], ["homo"]);
  assert.deepEqual(plain["INC - base"], { value: change.value, n: 1 });
  const table = doseTable([{ dose: {}, cells, bases }], { measures: ["base", "HAR - base"] });
  assert.deepEqual(table.columns.map(({ key }) => key).slice(-2), ["base", "HAR - base"]);
});

/** No answer of n differs: the exact bound of the share that does. */
function zeroInterval(n: number): [number, number] {
  const most = 100 * (1 - 0.025 ** (1 / n));
  return [-most, most];
}

Deno.test("doseRows() compares within a dose, and doseHeatMap() lays doses out", () => {
  const results = rateDoses({ learningRates: [1e-4, 1e-3], epochs: [1, 3] }).map(
    (dose): DoseResult => {
      const strength = dose.learningRate! * 1e3 * dose.epochs!;
      const cells = ["a", "b"].flatMap((model) => [
        made(model, "inc", 10 - Math.round(2 * strength)),
        made(model, "har", 10),
      ]);
      return { dose, cells };
    },
  );
  const last = doseRows(results).at(-1)!;
  assert.equal(last.dose, "1e-3, 3 epochs");
  assert.deepEqual([last.items, last.empty, last.fit, last["SELF - INC"]], [6, 0, 50, null]);
  assert.ok(Math.abs((last["INC - base"] as { value: number }).value + 30) < 1e-9);
  assert.ok(Math.abs((last["HAR - INC"] as { value: number }).value - 30) < 1e-9);
  const table = doseTable(results);
  assert.deepEqual(table.columns.map(({ key }) => key).slice(-2), ["INC - base", "HAR - INC"]);
  assert.equal(table.rows.length, 4);
  const text = describeFigure(doseHeatMap(results, { suite: "homo" }));
  assert.match(text, /1e-4: 1 epoch 0, 3 epochs 5\n.*1e-3: 1 epoch 10, 3 epochs 30/);
  assert.throws(
    () => doseHeatMap([{ dose: { size: 1 }, cells: [] }], { suite: "homo" }),
    /expected a learning rate and epochs/,
  );
});

Deno.test("runDoses() stores its cells as the study does; the default dose is the study's", async () => {
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
    const study = await runStudy(one, { open, store });
    let reused = 0, done = 0;
    const run = (some: StudyPlan) =>
      runStudy(some, {
        open,
        store,
        onProgress: (state) => {
          if (state.note !== "done") return;
          done++;
          reused += Number(state.reused);
        },
      });
    const doses = [{ learningRate: 1e-3, epochs: 3 }, { epochs: 1 }, { items: "unknown" as const }];
    const results = await runDoses(one, doses, run);
    assert.deepEqual([done, reused], [3, 1]);
    assert.deepEqual(results[0].cells, study.cells);
    assert.equal(results[1].cells[0].finetuning!.settings.epochs, 1);
    const unknown = results[2].cells[0];
    assert.ok(unknown.size > 0 && unknown.size < study.cells[0].size);
    assert.equal(unknown.cell.items, "unknown");
    await runDoses(one, doses, run);
    assert.deepEqual([done, reused], [6, 4]);
  } finally {
    await Deno.remove(store, { recursive: true });
  }
});
