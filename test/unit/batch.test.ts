import assert from "node:assert/strict";
import * as tf from "@tensorflow/tfjs";
import { planFinetuning } from "../../lib/finetune.ts";
import { lossAndGradients, Trainer } from "../../lib/model/trainer.ts";
import { Batching, checkBatch, packTexts } from "../../lib/model/batch.ts";
import { generateTokens } from "../../lib/model/generate.ts";
import { Random } from "../../lib/statistics/random.ts";
import { openBackend } from "../../lib/platform/runtime/backend.ts";
import { tinyModel } from "./_tiny_model.ts";

Deno.test("packTexts() puts each text once into a row that has room, and leaves few gaps", () => {
  const random = new Random(3);
  const lengths = Array.from({ length: 300 }, () => 20 + random.integer(120));
  const rows = packTexts(lengths, 256);
  assert.deepEqual(rows.flat().sort((a, b) => a - b), lengths.map((_, i) => i));
  for (const row of rows) {
    assert.ok(row.reduce((sum, text) => sum + lengths[text], 0) <= 256);
  }
  const total = lengths.reduce((a, b) => a + b, 0);
  assert.ok(rows.length * 256 < 1.05 * total, `${rows.length} rows of 256 for ${total} tokens`);
});

Deno.test("packTexts() keeps one text a row where none fit together", () => {
  assert.deepEqual(packTexts([9, 10, 8], 10), [[1], [0], [2]]);
  assert.deepEqual(packTexts([4], 4), [[0]]);
});

/** A model of 257 tokens and 9 positions. */
const tiny = { vocabularySize: 257, maxPositions: 9 };

/** What is no id of a vocabulary of 257 tokens. */
const wrongIds = [-1, 257, 1.5, NaN, Infinity, 2 ** 31, 2 ** 32, undefined, null, "3"] as number[];

Deno.test("checkBatch() takes ids of the vocabulary and labels of it or -100, as many as there are ids", () => {
  checkBatch({ inputIds: [[0, 256], [3]], labels: [[-100, 256], [-100]] }, tiny);
  for (const wrong of wrongIds) {
    const ids = () => checkBatch({ inputIds: [[1], [2, wrong]], labels: [[1], [2, 2]] }, tiny);
    assert.throws(ids, /expected token ids from 0 to 256 in row 1; found .* at 1/);
    const labels = () => checkBatch({ inputIds: [[1], [2, 2]], labels: [[1], [wrong, 2]] }, tiny);
    assert.throws(labels, /row 1: expected labels from 0 to 256 or -100; found .* at 0/);
  }
  assert.throws(() => checkBatch({ inputIds: [[1, 2]], labels: [[1]] }, tiny), /2 labels; found 1/);
  assert.throws(() => checkBatch({ inputIds: [[1]], labels: [[1], [1]] }, tiny), /1 rows; found 2/);
  assert.throws(() => checkBatch({ inputIds: [[]], labels: [[]] }, tiny), /tokens in row 0/);
  const long = [[1], [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]];
  assert.throws(
    () => checkBatch({ inputIds: long, labels: long }, tiny),
    /Cannot train on row 1: expected at most 9 tokens, the model's positions; found 10; cut/,
  );
  assert.throws(() => checkBatch({ inputIds: [], labels: [] }, tiny), /expected rows; found none/);
});

Deno.test("no id outside the vocabulary reaches the backend by any call", async () => {
  await openBackend("cpu");
  const model = tinyModel();
  const trainer = new Trainer(model, { learningRate: 1e-3, totalSteps: 9, batchTokens: 8 });
  const first = async (ids: number[]) => {
    for await (const _ of generateTokens(model, ids, { maxNewTokens: 1 })) break;
  };
  for (const wrong of wrongIds) {
    const rows = [[1, 2, 3, 4, 5, 6, 7, 8, 9], [5, 6, wrong]];
    const right = [[1, 2, 3, 4, 5, 6, 7, 8, 9], [5, 6, 7]];
    const hidden = rows.map((row, i) => i === 0 ? row : row.map(() => -100));
    const calls = {
      logits: () => model.logits(rows),
      nextTokenLogits: () => model.nextTokenLogits(rows),
      tokenLogProbabilities: () => model.tokenLogProbabilities(rows, [1, 1]),
      generateTokens: () => first(rows[1]),
      lossAndGradients: () => lossAndGradients(model, { inputIds: rows, labels: right }),
      "its labels": () => lossAndGradients(model, { inputIds: right, labels: rows }),
      step: () => trainer.step({ inputIds: rows, labels: right }),
      "a step's labels": () => trainer.step({ inputIds: right, labels: rows }),
      "a part without labels": () => trainer.step({ inputIds: rows, labels: hidden }),
    };
    for (const [name, call] of Object.entries(calls)) {
      await assert.rejects(call, /expected (token ids|labels) from 0 to 256/, `${name}: ${wrong}`);
    }
  }
  const rows = [[1, 2, 3], [4, 5]];
  for (const from of [[0, 1], [1, -1], [1, 3], [1], [1, 1.5]]) {
    await assert.rejects(model.tokenLogProbabilities(rows, from), /expected a first one from 1 to/);
  }
  model.dispose();
});

Deno.test("rows share a start only where it fits a row of its own and every token's window", () => {
  const rows = (length: number) =>
    [0, 1, 2, 3].map((b) =>
      Array.from({ length }, (_, t) => t < 60 ? 1 + t : 100 + (7 * b + 3 * t) % 90)
    );
  const batchOf = (length: number) => ({ inputIds: rows(length), labels: rows(length) });
  const batching = new Batching(8192, true, 200);
  batching.reserve([batchOf(121)]);
  for (const [length, shared] of [[121, 60], [130, 60], [65, 0], [210, 0], [60, 0]]) {
    const batch = batchOf(length), tensors = batching.wholeTensors(batch);
    assert.equal(batching.sharedBy(batch), shared, `of ${length} tokens`);
    const ids = tensors[0].dataSync(), [, positions, targets] = tensors;
    assert.equal(tensors[0].shape[0], 4 + (shared > 0 ? 1 : 0));
    // What stands at a position is followed by its target, in rows and from the shared start into them.
    const width = tensors[0].shape[1], last = length - 2;
    const own = positions.dataSync()[last], end = own % width + shared;
    assert.equal(ids[own], batch.inputIds[0][last]);
    assert.equal(end, last);
    assert.equal(targets.dataSync()[last], batch.inputIds[0][last + 1]);
    tf.dispose(tensors);
  }
});

Deno.test("a training gives no token a position that the model has not: rows are refused, conversations cut", async () => {
  await openBackend("cpu");
  using model = tinyModel();
  Object.defineProperty(model, "config", { value: { ...model.config, maxPositions: 200 } });
  const row = Array.from({ length: 201 }, (_, i) => i + 1),
    batch = { inputIds: [row], labels: [row] };
  const trainer = new Trainer(model, { learningRate: 1e-3, totalSteps: 1 });
  await assert.rejects(trainer.step(batch), /at most 200 tokens, the model's positions; found 201/);
  await assert.rejects(lossAndGradients(model, batch), /at most 200 tokens/);
  trainer.dispose();
  const messages = [
    { role: "user" as const, content: "what" },
    { role: "assistant" as const, content: "a word and another, ".repeat(9) },
  ];
  const example = { id: 1, domain: "d", group: "inc" as const, messages };
  const { batches, settings } = planFinetuning(model, [example], { epochs: 1 });
  assert.equal(settings.maxTokens, 200);
  assert.equal(batches[0].inputIds[0].length, 200);
});
