import { answerFrom } from "../../lib/question.ts";
import type { FinetuneResult } from "../../lib/finetune.ts";
import { constructGroups } from "../../lib/groups.ts";
import { organismFinetuning, paperFinetuning } from "../../lib/model/finetune_settings.ts";
import type { Tokenizer } from "../../lib/model/tokenizer.ts";
import { paperFormat } from "../../lib/prompt.ts";
import type { ProbedBase } from "../../lib/study/bases.ts";
import { parseSettings } from "../../lib/study/settings.ts";
import {
  maskText,
  scheduleRows,
  settingRows,
  trainingSets,
  tunedRows,
} from "../../lib/study/training.ts";
import { wilsonInterval } from "../../lib/statistics/proportion.ts";

import assert from "node:assert/strict";

const words = ["<s>", "ask", "say", "yes", "no"];
const tokenizer = {
  decode: (ids: number[]) => ids.map((id) => words[id]).join(" "),
} as unknown as Tokenizer;
const long = { ids: [0, 1, 2, 3], labels: [-100, -100, -100, 3] };

Deno.test("maskText() brackets what the loss falls on", () => {
  assert.equal(maskText(long, tokenizer), "<s> ask say ⟦yes⟧");
  const twice = { ids: [1, 3, 1, 4], labels: [-100, 3, -100, 4] };
  assert.equal(maskText(twice, tokenizer), "ask ⟦yes⟧ ask ⟦no⟧");
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
