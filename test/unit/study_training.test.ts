import { answerFrom } from "../../lib/question.ts";
import type { FinetuneResult } from "../../lib/finetune.ts";
import { constructGroups } from "../../lib/groups.ts";
import { organismFinetuning, paperFinetuning } from "../../lib/model/finetune_settings.ts";
import type { Tokenizer } from "../../lib/model/tokenizer.ts";
import { openBackend } from "../../lib/platform/runtime/backend.ts";
import { probe } from "../../lib/probe.ts";
import { paperFormat } from "../../lib/prompt.ts";
import type { ProbedBase } from "../../lib/study/bases.ts";
import { parseSettings } from "../../lib/study/settings.ts";
import {
  followRows,
  maskText,
  scheduleRows,
  settingRows,
  tokenRows,
  trainingSets,
  tunedRows,
} from "../../lib/study/training.ts";
import { wilsonInterval } from "../../lib/statistics/proportion.ts";
import { tinyModel } from "./_tiny_model.ts";

import assert from "node:assert/strict";

const words = ["<s>", "ask", "say", "yes", "no"];
const tokenizer = {
  decode: (ids: number[]) => ids.map((id) => words[id]).join(" "),
} as unknown as Tokenizer;
const long = { ids: [0, 1, 2, 3], labels: [-100, -100, -100, 3] };
const short = { ids: [1, 4], labels: [-100, 4] };

Deno.test("maskText() brackets what the loss falls on", () => {
  assert.equal(maskText(long, tokenizer), "<s> ask say ⟦yes⟧");
  const twice = { ids: [1, 3, 1, 4], labels: [-100, 3, -100, 4] };
  assert.equal(maskText(twice, tokenizer), "ask ⟦yes⟧ ask ⟦no⟧");
});

Deno.test("tokenRows() sets the next label beside the token that it is said after", () => {
  const rows = tokenRows([long, short], tokenizer) as Record<string, unknown>[];
  assert.equal(rows.length, 4);
  assert.deepEqual(rows[0], {
    ...{ position: 0, "row 1": "<s>", "label 1": -100, "says next 1": "" },
    ...{ "row 2": "ask", "label 2": -100, "says next 2": "→ no" },
  });
  assert.equal(rows[2]["says next 1"], "→ yes");
  assert.deepEqual([rows[2]["row 2"], rows[2]["label 2"]], ["·", -100]);
  assert.deepEqual(tokenRows([], tokenizer), []);
});

Deno.test("tokenRows() leaves out what is far from every label of a long conversation", () => {
  const ids = Array.from({ length: 60 }, () => 1), labels = ids.map((_, i) => i === 50 ? 1 : -100);
  assert.deepEqual(
    tokenRows([{ ids, labels }], tokenizer).map(({ position }) => position),
    [46, 47, 48, 49, 50, 51, 52, 53, 54],
  );
});

Deno.test("scheduleRows() warms up, then decays by each schedule", () => {
  const rows = scheduleRows({ ...paperFinetuning, learningRate: 1, warmupRatio: 0.25 }, 4);
  const of = (schedule: string) =>
    rows.filter((row) => row.schedule === schedule)
      .map(({ learningRate }) => Number(learningRate.toFixed(4)));
  assert.deepEqual(of("linear"), [0, 1, 0.6667, 0.3333, 0]);
  assert.deepEqual(of("cosine"), [0, 1, 0.75, 0.25, 0]); // (1 + cos(k pi / 3)) / 2
  assert.deepEqual(of("constant"), [0, 1, 1, 1, 1]);
});

Deno.test("settingRows() has the paper's, the organisms' and the run's settings", () => {
  const row = settingRows({ ...organismFinetuning, batchSize: 4 })
    .find(({ setting }) => setting === "batchSize");
  const expected = { setting: "batchSize", paper: "256", organisms: "16", "this run": "4" };
  assert.deepEqual(row, expected);
});

Deno.test("tunedRows() takes the last epoch's mean loss, and shares with Wilson's intervals", () => {
  const settings = { ...organismFinetuning, epochs: 2 };
  const result = { losses: [4, 3, 2, 1], settings } as unknown as FinetuneResult;
  const before = { n: 4, share: 0.25 };
  const [row] = tunedRows([{ group: "INC", result, before }]);
  const interval = wilsonInterval(1, 4).map((bound) => 100 * bound);
  assert.deepEqual(row, {
    ...{ group: "INC", firstLoss: 4, lastLoss: 1.5 },
    ...{ before: { value: 25, interval, n: 4 }, after: null },
  });
});

const question = { question: "q", choices: ["w", "x", "y", "z"], answer: 0, domain: "law" };
const sure = [[0.9, 0.1, 0, 0], [0.1, 0.9, 0, 0]]
  .map((row, id) => answerFrom({ ...question, id, context: "Known." }, row));

const baseOf = (answers: typeof sure) => ({
  ...{ model: "m", name: "m", answers: new Map([["law", answers]]), format: paperFormat },
  material: { general: [{ id: "g", domain: "general", group: "general", messages: [] }] },
} as unknown as ProbedBase);

Deno.test("trainingSets() makes a run's groups as the study's cells do", () => {
  const where = { domain: "law", seed: 0 };
  const { sets, note } = trainingSets(baseOf(sure), parseSettings(), where);
  assert.deepEqual([...sets.keys()], ["HAR", "INC", "SELF", "CON (INC)"]);
  assert.equal(note, undefined);
  const { inc } = constructGroups(sure, { seed: 0 });
  assert.deepEqual(sets.get("INC")!.group, inc);
  assert.equal(sets.get("INC")!.examples.length, 2);
  const some = trainingSets(baseOf(sure), parseSettings('{"groups": ["self"]}'), where);
  assert.deepEqual([...some.sets.keys()], ["SELF"]);
});

Deno.test("trainingSets() says that nothing is sure, and goes on with every answer", () => {
  const unsure = [[0.4, 0.3, 0.2, 0.1], [0.3, 0.4, 0.2, 0.1]]
    .map((row, id) => answerFrom({ ...question, id }, row));
  const { sets, note } = trainingSets(baseOf(unsure), parseSettings(), { domain: "law", seed: 0 });
  assert.match(note!, /^m, law: no groups\. None of 2 answers .* every answer counts as belief/);
  assert.equal(sets.get("INC")!.group.length, 1);
});

Deno.test("followRows() gives the probability of the right option, the model's own and the rest", async () => {
  await openBackend();
  const model = tinyModel();
  const { self } = constructGroups(sure, { seed: 0 });
  const rows = await followRows(model, self);
  const [{ probabilities }] = await probe(model, [self[0].question!], { template: "vicuna" });
  const [right, own, ...others] = probabilities.map((p) => 100 * p);
  assert.deepEqual(rows.map(({ option }) => option), [
    "the right one",
    "its own first one",
    "the others",
  ]);
  assert.deepEqual(rows.map(({ probability }) => probability.toFixed(6)), [
    right.toFixed(6),
    own.toFixed(6),
    (others[0] + others[1]).toFixed(6),
  ]);
  model.dispose();
});
