import { answerFrom } from "../../lib/question.ts";
import type { Material } from "../../lib/cell.ts";
import type { Treatment } from "../../lib/cell.ts";
import type { Row } from "../../lib/figure/rows.ts";
import { type Table, table } from "../../lib/figure/table.ts";
import { missingModel, showBeside } from "../../lib/study/published.ts";
import type { ProbedBase } from "../../lib/study/bases.ts";
import {
  accuraciesByDomain,
  contrastsByDomain,
  firstQuestions,
  normalizationRows,
  questionCounts,
  subjectRows,
} from "../../lib/study/real.ts";
import type { AuditedStudy } from "../../lib/study/run.ts";
import { parseSettings } from "../../lib/study/settings.ts";
import { madeCell } from "./_cells.ts";

import assert from "node:assert/strict";

const asked = (id: number, subject: string) => ({
  ...{ id, domain: "history", subject, question: `q${id}`, choices: ["w", "x"], answer: 0 },
});
const exam = (name: string, questions: ReturnType<typeof asked>[]) => ({
  ...{ name, questions, demonstrations: [] },
});
const pool = exam("history/pool", [asked(0, "year"), asked(1, "year"), asked(2, "leader")]);
const id = exam("history/id", [asked(3, "leader")]);
const material: Material = {
  domains: new Map([["history", { pool, suites: { id: [id], ood: [id, id] } }]]),
  general: [],
};

Deno.test("questionCounts() and firstQuestions() tell what a run asks", () => {
  assert.deepEqual(questionCounts(material), [
    { domain: "history", pool: 3, HOMO: 0, ID: 1, OOD: 2 },
  ]);
  assert.deepEqual(
    firstQuestions(material).map(({ kind, question, right }) => [kind, question, right]),
    [["year", "q0", "w"], ["leader", "q3", "w"]],
  );
});

Deno.test("subjectRows() joins a subject's questions of pool and ID", () => {
  const answers = pool.questions.map((one, i) => answerFrom(one, i === 1 ? [0, 1] : [1, 0]));
  const base = { answers: { "history/id": [answerFrom(id.questions[0], [0, 1])] } };
  const rows = subjectRows(
    { answers: new Map([["history", answers]]), base, material } as unknown as ProbedBase,
  );
  assert.deepEqual(rows.map(({ subject, right }) => [subject, right.value, right.n]), [
    ["year", 50, 2],
    ["leader", 50, 2],
  ]);
});

Deno.test("normalizationRows() tells how often an answer is sure, and right then", () => {
  const answers = [[0.9, 0.1], [0.3, 0.7], [0.6, 0.4], [0.6, 0.4]]
    .map((row, i) => answerFrom(asked(i, "year"), row));
  const [row] = normalizationRows(new Map([["none", answers]]), 0.65);
  assert.deepEqual([row.right.value, row.sure.value, row["right where sure"].value], [75, 50, 50]);
  // Bins .6 (both right), .7 (wrong) and .9 (right): (2 x .4 + .7 + .1) / 4.
  assert.ok(Math.abs(row["calibration error"] - 40) < 1e-9);
});

const of = (treatment: Treatment, right: number, domain = "history") =>
  madeCell({ treatment, domain, right, of: 100 });
const studyOf = (cells: ReturnType<typeof of>[], caveats: string[] = []) => {
  const items = [...new Set(cells.flatMap(({ suites }) => suites.homo!.items))];
  const answers = items.map((item) => {
    const [domain, number] = item.split("/");
    return answerFrom(
      { ...asked(0, ""), domain, id: number },
      Number(number) < 50 ? [1, 0] : [0, 1],
    );
  });
  const bases = [{ model: "a", digest: "", answers: { all: answers } }];
  return { bases, cells, warnings: ["one model"], caveats } as unknown as AuditedStudy;
};

Deno.test("accuraciesByDomain() and contrastsByDomain() have a whole of several domains alone", () => {
  const one = studyOf([of("har", 60), of("inc", 40)]);
  const two = studyOf([...one.cells, of("har", 20, "law"), of("inc", 30, "law")]);
  const domains = (rows: Row[]) => [...new Set(rows.map(({ domain }) => domain))];
  assert.deepEqual(domains(accuraciesByDomain(one)), ["history"]);
  assert.deepEqual(domains(accuraciesByDomain(two)), ["history", "law", "all domains"]);
  assert.deepEqual(domains(contrastsByDomain(one)), ["history"]);
  assert.deepEqual(
    contrastsByDomain(two).map((
      { domain, difference },
    ) => [domain, (difference as { value: number }).value]),
    [["history", 20], ["law", -10], ["all domains", 5]],
  );
});

Deno.test("missingModel() speaks of a model that is not here", async () => {
  const settings = (model: string) => parseSettings(JSON.stringify({ model }));
  assert.equal(await missingModel(settings("organism")), undefined);
  assert.equal(await missingModel(settings(".")), undefined);
  assert.match((await missingModel(settings("nobody/no-such-model")))!, /is not on this machine/);
});

Deno.test("showBeside() sets the shipped rows below this run's, or shows them alone", async () => {
  const shown: string[] = [];
  const show: Parameters<typeof showBeside>[0] = (item, file) => {
    const { caption, rows } = item as Table;
    shown.push([caption, rows.length > 0, file].join("|"));
    return Promise.resolve();
  };
  const draw = (rows: readonly Row[], whose: string) =>
    table(rows, { columns: ["source", "model"], caption: `Sizes${whose}` });
  const own = [{ source: "this run", model: "m" }], path = "03-groups/table1";
  await showBeside(show, path, own, draw);
  const below = "Sizes (the shipped study)|true|";
  assert.deepEqual(shown.splice(0), ["Sizes (this run)|true|table1", below]);
  await showBeside(show, path, [], draw);
  assert.deepEqual(shown.splice(0), [below]);
  await showBeside(show, path, undefined, draw);
  assert.deepEqual(shown.splice(0), [below]);
  await showBeside(show, "03-groups/no-such-table", undefined, draw);
  assert.deepEqual(shown.splice(0), []);
  await showBeside(show, "03-groups/no-such-table", own, draw, "other");
  assert.deepEqual(shown, ["Sizes|true|other"]);
});
