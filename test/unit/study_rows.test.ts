import { answerFrom } from "../../lib/question.ts";
import { suiteNames } from "../../lib/evaluate.ts";
import { table, toCsv } from "../../lib/figure/table.ts";
import { roundNumber, roundNumbers } from "../../lib/figure/number.ts";
import { Random } from "../../lib/statistics/random.ts";
import { mean } from "../../lib/statistics/mean.ts";
import { ALL_MODELS, cellRows, overall } from "../../lib/study/rows.ts";
import {
  correlations,
  correlationTitles,
  movedQuestion,
  pointRows,
} from "../../lib/study/correlations.ts";
import { asRows, type CellResult, type Treatment } from "../../lib/cell.ts";
import {
  consistencyMeasures,
  consistencyPoints,
  contrast,
  correlationKinds,
  correlationsByModel,
  suiteLabels,
} from "../../lib/contrast.ts";
import { findings, ruleContrasts } from "../../lib/findings.ts";
import { middleRatioFindings, mixtureCurve } from "../../lib/study/mixture.ts";
import { cellsOfCsv } from "./_csv_cells.ts";
import { rowsOfCsv } from "../../lib/study/published.ts";
import { madeCell } from "./_cells.ts";

import assert from "node:assert/strict";

const random = new Random("rows");

const share = () => random.next();

/** Cells with numbers that no file holds whole, as a run gives them. */
function measured(): CellResult[] {
  const kinds: { treatment?: Treatment; ratio?: number }[] = [
    ...[0, 0.2, 0.6, 1].map((ratio) => ({ ratio })),
    { treatment: "har" },
    { treatment: "context" },
  ];
  return ["a", "b", "c"].flatMap((model) =>
    ["law", "law/ethics"].flatMap((domain) =>
      [0, 1, 2].flatMap((seed) =>
        kinds.map((kind) => {
          const one = madeCell({
            ...{ model, domain, seed, of: 110, right: 40 + random.integer(40), ...kind },
            baseAccuracy: (50 + (domain === "law" ? 3 : 0) + model.charCodeAt(0) % 5) / 110,
            ...{ kl: share() / 3, rank: 0.6 + share() / 3 },
            ...{ cosine: 0.9 + share() / 10, entropy: share() },
          });
          const { homo } = one.suites;
          return asRows({ ...one, suites: { homo, id: { ...homo!, rank: share() } } });
        })
      )
    )
  );
}

Deno.test("every contrast and correlation is computed from the numbers that cells.csv shows", () => {
  const cells = measured();
  const read = cellsOfCsv(toCsv(table(cellRows(cells))));
  assert.equal(read.length, cells.length);
  assert.deepEqual(findings(read), findings(cells));
  assert.equal(findings(cells).length, 8);
  assert.deepEqual(middleRatioFindings(read), middleRatioFindings(cells));
  assert.deepEqual(consistencyPoints(read), consistencyPoints(cells));
  const value = ({ kl }: { kl: number }) => kl;
  for (const suite of ["homo", "id"] as const) {
    const klOf = (some: CellResult[]) =>
      contrast(some, { treatment: "inc" }, { treatment: "self" }, { suite, value });
    assert.deepEqual(klOf(read), klOf(cells));
    assert.deepEqual(mixtureCurve(read, suite, { value }), mixtureCurve(cells, suite, { value }));
    for (const kind of Object.keys(correlationKinds) as (keyof typeof correlationKinds)[]) {
      for (const measure of Object.keys(consistencyMeasures)) {
        const of = (some: CellResult[]) =>
          correlationsByModel(consistencyPoints(some).filter((one) => one.suite === suite), {
            kind,
            measure: measure as keyof typeof consistencyMeasures,
          });
        assert.deepEqual(of(read), of(cells), `${kind}, ${measure}`);
        assert.equal(of(cells).length, 3);
      }
    }
  }
});

Deno.test("correlations() gives each model's and one over all, and null where r is undefined", () => {
  // Consistency, accuracy and the share of own answers rise together in a and fall apart in b.
  const cells = ["organism:a", "organism:b"].flatMap((model, m) =>
    [0, 0.2, 0.4, 0.6, 0.8, 1].map((ratio, i) =>
      madeCell({ model, ratio, right: 10 + i, of: 20, rank: (m ? 5 - i : i) / 10, kl: 0.1 })
    )
  );
  const of = (kind: string, measure: string) =>
    correlations(cells).filter((row) => row.kind === kind && row.measure === measure);
  const [a, b, all] = of("Spearman", "rank consistency");
  assert.deepEqual([a, b, all].map(({ model }) => model), ["a", "b", ALL_MODELS]);
  assert.deepEqual([a.r!.value, b.r!.value], [1, -1]);
  assert.deepEqual([a.n, a.over, all.n, all.over], [6, "cells", 2, "models"]);
  assert.ok(Math.abs(all.r!.value) < 1e-9 && Math.abs(all.p! - 1) < 1e-9);
  assert.deepEqual(overall([a, b, all]), [all]);
  assert.deepEqual(overall([a]), [a]);
  // KL never changes.
  assert.deepEqual(of("Spearman", "KL(base || tuned)").map(({ r, p }) => [r, p]), [
    [null, null],
    [null, null],
  ]);
  assert.deepEqual(correlationTitles([a], "Spearman"), {
    HOMO: "HOMO: Spearman 1.00 [1.00, 1.00]",
  });
  const [point] = pointRows(cells);
  assert.deepEqual([point.model, point.test, point.accuracy], ["a", "HOMO", 50]);
  assert.deepEqual(correlations(cells.slice(0, 4)), []);
});

Deno.test("movedQuestion() is the one that INC turned round and SELF kept", () => {
  const made = (ratio: number, probabilities: number[][]) =>
    madeCell({ ratio, right: 1, of: 2, probabilities });
  const answers = [0, 1].map((id) =>
    answerFrom(
      { id, domain: "history", question: `${id}?`, choices: ["x", "y", "z"], answer: 1 },
      [0.5, 0.3, 0.2],
    )
  );
  const bases = [{ model: "a", digest: "", answers: { "history/homo": answers } }];
  const cells = [
    made(0, [[0.6, 0.3, 0.1], [0.1, 0.3, 0.6]]),
    made(1, [[0.1, 0.3, 0.6], [1, 0, 0]]),
  ];
  const rows = movedQuestion({ bases, cells });
  assert.deepEqual(new Set(rows.map(({ question }) => question)), new Set(["1?"]));
  assert.deepEqual(
    rows.map(({ group, option, probability }) => [group, option, Math.round(probability)]),
    [
      ...[["before", "x", 50], ["before", "y (right)", 30], ["before", "z", 20]],
      ...[["after INC", "x", 10], ["after INC", "y (right)", 30], ["after INC", "z", 60]],
      ...[["after SELF", "x", 100], ["after SELF", "y (right)", 0], ["after SELF", "z", 0]],
    ],
  );
  assert.deepEqual(movedQuestion({ bases, cells: cells.slice(0, 1) }), []);
});

Deno.test("asRows() keeps six digits of what was measured, and shares whole", () => {
  const one = madeCell({ ratio: 0, right: 1, of: 3, kl: 0.123456789, rank: 2 / 3 });
  const rounded = asRows({ ...one, fit: { n: 3, share: 1 / 3 } });
  const { accuracy, kl, rank, correct } = rounded.suites.homo!;
  assert.deepEqual([accuracy, kl, rank], [1 / 3, 0.123457, 0.666667]);
  assert.equal(rounded.fit!.share, 0.333333);
  assert.deepEqual(correct, [1, 0, 0]);
  assert.equal(one.suites.homo!.accuracy, 1 / 3);
});

Deno.test("equal means of seeds are equal ranks, in whatever order they were added", () => {
  // Of these orders one differs from another in the last bit of its mean, and so would its rank.
  const [a, b, c] = [0.960411, 0.200803, 0.100716];
  const orders = [[a, b, c], [c, b, a], [b, c, a]];
  assert.ok(new Set(orders.map((order) => mean(order.map((x) => 100 * x)))).size > 1);
  const cells = orders.flatMap((ranks, i) =>
    [0, 0.5, 1].flatMap((ratio) =>
      ranks.map((rank, seed) =>
        madeCell({ domain: `d${i}`, seed, ratio, rank, right: 5, of: 9, accuracy: rank })
      )
    )
  );
  const points = consistencyPoints(cells);
  assert.equal(points.length, 9);
  assert.deepEqual([...new Set(points.map(({ consistency }) => consistency))], [42.0643333]);
  assert.deepEqual([...new Set(points.map(({ accuracy }) => accuracy))], [42.0643333]);
});

Deno.test("as many right answers over the seeds are one rank, however they fell", () => {
  // 62 + 60 and 61 + 61 of 110: six digits would part them, 56.3636 + 54.5455 from 2 x 55.4545.
  const rights = [[62, 60, 50], [61, 61, 50], [50, 72, 50]];
  const cells = rights.flatMap((list, i) =>
    [0, 0.5, 1].flatMap((ratio) =>
      list.map((right, seed) => asRows(madeCell({ domain: `d${i}`, seed, ratio, right, of: 110 })))
    )
  );
  const points = consistencyPoints(cells);
  assert.deepEqual([...new Set(points.map(({ accuracy }) => accuracy))], [52.1212121]);
});

Deno.test("the published correlations and contrasts follow from the published cells.csv", async () => {
  const published = async (path: string) =>
    await Deno.readTextFile(new URL(`../../figures/${path}.csv`, import.meta.url));
  const cells = cellsOfCsv(await published("05-evaluation/cells"));
  const computed = correlations(cells);
  const shown = rowsOfCsv(await published("08-consistency/correlations"));
  assert.equal(shown.length, 3 * Object.keys(correlationKinds).length);
  for (const { test, kind, p, over: _, n: __, ...models } of shown) {
    for (const [name, r] of Object.entries(models)) {
      const model = name === "pooled" ? ALL_MODELS : name;
      const row = computed.find((one) =>
        one.test === test && one.kind === kind && one.measure === "rank consistency" &&
        one.model === model
      )!;
      assert.deepEqual(roundNumbers(row.r), roundNumbers(r), `${test}, ${kind}, ${model}`);
      if (model === ALL_MODELS) assert.equal(roundNumber(row.p!), roundNumber(p as number));
    }
  }
  const contrasts = rowsOfCsv(await published("05-evaluation/contrasts"));
  assert.equal(contrasts.length, 9);
  for (const { finding, test, "all models": published } of contrasts) {
    const [, treatment] = ruleContrasts.find(([name]) => name === finding)!;
    const suite = suiteNames.find((one) => suiteLabels[one] === test)!;
    const { value, interval, n } = contrast(cells, { treatment }, { treatment: "inc" }, { suite })!;
    assert.deepEqual(
      roundNumbers({ value, interval, n }),
      roundNumbers(published),
      `${finding}, ${test}`,
    );
  }
});
