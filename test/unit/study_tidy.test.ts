import assert from "node:assert/strict";
import type { Measurement } from "../../lib/figure/number.ts";
import {
  accuracies,
  ALL_DOMAINS,
  ALL_MODELS,
  cellRows,
  contrasts,
  findingRecords,
  flipRows,
  movement,
  pairedAnswers,
  type StudyRow,
  treatmentsOf,
} from "../../lib/study/rows.ts";
import type { Treatment } from "../../lib/cell.ts";
import { worldMaterial } from "../../lib/study/material.ts";
import { findings } from "../../lib/findings.ts";
import { allFacts, createWorld } from "../../lib/world/world.ts";
import { madeBase, madeCell } from "./_cells.ts";

/** t(.975) with 2 degrees of freedom, by its table. */
const T2 = 4.302652729911275;

/** A cell of 20 questions of history, of which `right` are right; the base has ten. */
const made = (model: string, treatment: Treatment, right: number, seed = 0, kl = 0.1) =>
  madeCell({ model, treatment, right, seed, kl, of: 20, baseEntropy: 0.9 });

const models = ["organism:a", "organism:b", "organism:c"];

const cells = models.flatMap((model, i) =>
  [0, 1].flatMap((seed) => [
    made(model, "har", 10 + i, seed),
    made(model, "inc", 6, seed, 0.4 + i / 10),
    made(model, "self", 9, seed),
  ])
);

const study = { bases: models.map(madeBase), cells, kinds: new Map() };
const one = { ...study, bases: study.bases.slice(0, 1), cells: cells.slice(0, 6) };

/** The one row whose columns hold these values. */
function rowOf(rows: readonly StudyRow[], where: StudyRow): StudyRow {
  const found = rows.filter((row) => Object.keys(where).every((key) => row[key] === where[key]));
  assert.equal(found.length, 1, JSON.stringify(where));
  return found[0];
}

function near(cell: StudyRow[string], value: number, interval?: readonly number[], n?: number) {
  const found = cell as Measurement;
  const close = (a: number, b: number) => assert.ok(Math.abs(a - b) < 1e-3, `${a} for ${b}`);
  close(found.value, value);
  interval?.forEach((bound, i) => close(found.interval![i], bound));
  assert.equal(found.n, n);
}

Deno.test("accuracies() has the base first, each domain, and all models with intervals over them", () => {
  const rows = accuracies(study);
  assert.equal(rows.length, 3 * 4 * 2 + 4);
  const first = rows.filter(({ model, domain }) => model === "a" && domain === "history");
  assert.deepEqual(first.map(({ group }) => group), ["base", "HAR", "INC", "SELF"]);
  // Wilson's interval of 10 of 20; two seeds of a question count once.
  near(first[0].accuracy, 50, [29.93, 70.07], 20);
  assert.equal((first[1].accuracy as Measurement).n, 20);
  const whole = { model: ALL_MODELS, domain: ALL_DOMAINS, test: "HOMO" };
  // Three means 50, 55 and 60.
  const half = T2 * 5 / Math.sqrt(3);
  near(rowOf(rows, { ...whole, group: "HAR" }).accuracy, 55, [55 - half, 55 + half], 3);
  near(rowOf(rows, { ...whole, group: "base" }).accuracy, 50, [50, 50], 3);
  assert.ok(accuracies(one).every(({ model }) => model === "a"));
  assert.deepEqual(accuracies({ bases: study.bases, cells: [] }), []);
});

Deno.test("accuracies() pools the questions of domains, and keeps their names", () => {
  const law = madeCell({
    model: "organism:a",
    domain: "law/ethics",
    treatment: "har",
    right: 9,
    of: 10,
  });
  const answers = law.suites.homo!.items.map((_, id) => ({
    ...one.bases[0].answers["history/homo"][id],
    domain: "law/ethics",
  }));
  const bases = [{
    ...one.bases[0],
    answers: { ...one.bases[0].answers, "law/ethics/homo": answers },
  }];
  const rows = accuracies({ bases, cells: [made("organism:a", "har", 12), law] });
  near(rowOf(rows, { group: "HAR", domain: "law/ethics" }).accuracy, 90, undefined, 10);
  near(rowOf(rows, { group: "HAR", domain: ALL_DOMAINS }).accuracy, 70, undefined, 30); // 21 of 30
  near(rowOf(rows, { group: "base", domain: ALL_DOMAINS }).accuracy, 100 * 20 / 30, undefined, 30);
});

Deno.test("accuracies() gives Wilson's interval where all answers are right", () => {
  const right = [made("organism:a", "har", 20, 0), made("organism:a", "har", 20, 1)];
  const row = rowOf(accuracies({ ...one, cells: right }), { group: "HAR", domain: "history" });
  near(row.accuracy, 100, [83.8875, 100], 20);
});

Deno.test("contrasts() has the difference of all models, then each model's", () => {
  const rows = contrasts(study);
  assert.deepEqual(
    rows.map(({ finding, test, model }) => `${finding} ${test} ${model}`),
    ["HAR - INC", "SELF - INC"].flatMap((finding) =>
      [ALL_MODELS, "a", "b", "c"].map((model) => `${finding} HOMO ${model}`)
    ),
  );
  const half = T2 * 5 / Math.sqrt(3); // of 20, 25 and 30
  near(rows[0].difference, 25, [25 - half, 25 + half], 3);
  assert.equal(rows[0].paper, "+11.27");
  // Over 20 questions: four differ by 100, so that the deviation is 41.04, and t(.975, 19) 2.0930.
  const own = 2.093024 * 41.0391 / Math.sqrt(20);
  near(rows[1].difference, 20, [20 - own, 20 + own], 20);
  assert.deepEqual(contrasts(one).map(({ model }) => model), ["a", "a"]);
  assert.deepEqual(contrasts({ cells: [made("organism:a", "har", 3)] }), []);
});

Deno.test("movement() gives means over models with t-intervals, of one model its mean", () => {
  const rows = movement(study);
  assert.deepEqual(treatmentsOf(cells), ["har", "inc", "self"]);
  assert.deepEqual(rows.map(({ group }) => group), ["HAR", "INC", "SELF"]);
  const half = T2 * 0.1 / Math.sqrt(3); // of .4, .5 and .6
  near(rows[1].kl, 0.5, [0.5 - half, 0.5 + half], 3);
  near(rows[0].baseEntropy, 0.9, undefined, 3);
  near(movement(one)[1].kl, 0.4, undefined, 1);
  assert.equal(cellRows(cells).length, cells.length);
});

Deno.test("flipRows() counts what was lost and gained, by kind", () => {
  const kindOf = ({ id }: { id: string | number }) => Number(id) % 2 === 0 ? "even" : undefined;
  // Right before: 0, 2, 4, 6, 8; INC keeps 0 to 5; three models with two seeds.
  assert.deepEqual(rowOf(flipRows(study, kindOf), { group: "INC" }), {
    ...{ test: "HOMO", group: "INC", facts: "even" },
    ...{ rightBefore: 30, lost: 40, wrongBefore: 30, gained: 0 },
  });
  const har = rowOf(flipRows(study), { group: "HAR" });
  assert.deepEqual([har.facts, har.gained], ["all", 100 * 2 * (0 + 1 + 2) / 60]);
  const all = made("organism:a", "har", 20);
  const mixed = flipRows({ ...one, cells: [all, madeCell({ ratio: 0.4, right: 1, of: 20 })] });
  assert.deepEqual(mixed.map(({ group, lost }) => [group, lost]), [["HAR", 0]]);
});

Deno.test("flipRows() knows the kind of a fact from an organism's world", () => {
  const world = createWorld({ seed: 1 });
  const facts = allFacts(world).slice(0, 20);
  const [base] = one.bases;
  const answers = base.answers["history/homo"]
    .map((answer, i) => ({ ...answer, id: facts[i].id }));
  const cell = made("organism:a", "inc", 6);
  cell.suites.homo!.items = facts.map(({ id }) => `history/${id}`);
  const rows = flipRows({
    bases: [{ ...base, answers: { "history/homo": answers } }],
    cells: [cell],
    kinds: new Map([["organism:a", worldMaterial(world).kinds]]),
  });
  const kinds = [...new Set(facts.map(({ status }) => status))].sort();
  assert.deepEqual(rows.map(({ facts }) => facts), kinds);
  for (const row of rows) {
    const before = facts.filter(({ status }, i) => status === row.facts && i < 10);
    assert.equal(row.rightBefore, before.length);
  }
});

Deno.test("pairedAnswers() pairs what two groups answered to the same question", () => {
  const pairs = pairedAnswers(cells, ["har", "inc"], "homo");
  assert.equal(pairs.length, 3 * 2 * 20);
  const first = pairs.filter(({ model, seed }) => model === "a" && seed === 0);
  assert.deepEqual(first.map(({ difference }) => difference), [
    ...[...Array(6).fill(0), ...Array(4).fill(100), ...Array(10).fill(0)],
  ]);
  assert.deepEqual(first[7], {
    ...{ model: "a", domain: "history", seed: 0, item: "history/7" },
    ...{ first: 1, second: 0, difference: 100 },
  });
  // By the question's name, whatever the order.
  const turned = made("organism:a", "inc", 6);
  for (const list of [turned.suites.homo!.items, turned.suites.homo!.correct]) list.reverse();
  assert.deepEqual(pairedAnswers([cells[0], turned], ["har", "inc"], "homo"), first);
  assert.deepEqual(pairedAnswers(cells, ["har", "context"], "homo"), []);
  assert.deepEqual(pairedAnswers(cells, ["har", "inc"], "id"), []);
});

Deno.test("findingRecords() keeps numbers as numbers", () => {
  const [har, ...rest] = findingRecords(findings(cells));
  const { estimate, p, correctedP, detectable, ...words } = har;
  assert.deepEqual(words, {
    ...{ finding: "HAR - INC", test: "HOMO", unit: "points", n: 3, over: "models" },
    ...{ verdict: "holds", paper: "+11.27", detail: null },
  });
  const half = T2 * 5 / Math.sqrt(3);
  near(estimate, 25, [25 - half, 25 + half]);
  // t = 25 / (5 / sqrt 3) = 8.66 with 2 df: p = 1 - t / sqrt(t^2 + 2); Holm of two: twice the smaller.
  const t = 5 * Math.sqrt(3), expected = 1 - t / Math.sqrt(t ** 2 + 2);
  assert.ok(Math.abs((p as number) - expected) < 1e-9);
  assert.ok((correctedP as number) >= (p as number) && (detectable as number) > half);
  assert.equal(rest.length, 1);
});
