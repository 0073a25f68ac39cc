import assert from "node:assert/strict";
import * as tf from "@tensorflow/tfjs";
import { parameterShapes } from "../../lib/model/architecture.ts";
import { parseConfiguration } from "../../lib/model/configuration.ts";
import { LanguageModel } from "../../lib/model/language_model.ts";
import { loadModel } from "../../lib/model/files/load.ts";
import { paperFormat } from "../../lib/prompt.ts";
import { Random } from "../../lib/statistics/random.ts";
import { openBackend } from "../../lib/platform/runtime/backend.ts";
import { fixtureFolder } from "./_fixtures.ts";

for (const family of ["llama", "llama3-rope", "qwen2", "qwen3", "mistral"]) {
  Deno.test(`a shared prefix changes no logit of ${family} by more than 1e-5`, async () => {
    const model = await loadModel(fixtureFolder(family), { tokenizer: false });
    const head = Array.from({ length: 37 }, (_, i) => (i * 7) % 90);
    const rows = Array.from({ length: 9 }, (_, i) => [
      ...head,
      ...Array.from({ length: 3 + i }, (_, k) => (k * 11 + i) % 90),
    ]);
    const shared = await model.nextTokenLogits(rows);
    const from = rows.map((_, i) => 37 + i % 3);
    const sharedScores = await model.tokenLogProbabilities(rows, from);
    const plain: Float32Array[] = [], plainScores: number[][] = [];
    for (const [i, row] of rows.entries()) {
      plain.push(...await model.nextTokenLogits([row]));
      plainScores.push(...await model.tokenLogProbabilities([row], [from[i]]));
    }
    let worst = 0;
    rows.forEach((row, i) => {
      assert.equal(sharedScores[i].length, row.length - from[i]);
      shared[i].forEach((value, k) => worst = Math.max(worst, Math.abs(value - plain[i][k])));
      sharedScores[i].forEach((value, k) =>
        worst = Math.max(worst, Math.abs(value - plainScores[i][k]))
      );
    });
    assert.ok(worst <= 1e-5, `worst difference ${worst}`);
    assert.ok(new Set(shared.map((logits) => logits[0])).size === rows.length, "rows differ");
    model.dispose();
  });
}

Deno.test("a shared prefix changes no logit of a model with one key head", async () => {
  await openBackend();
  const config = parseConfiguration({
    ...{ model_type: "llama", vocab_size: 97, hidden_size: 32, intermediate_size: 48 },
    ...{ num_hidden_layers: 2, num_attention_heads: 4, num_key_value_heads: 1 },
    ...{ rms_norm_eps: 1e-5, max_position_embeddings: 256, tie_word_embeddings: true },
  });
  const random = new Random(0);
  const parameters = new Map(
    [...parameterShapes(config)].map(([name, shape]) => {
      const size = shape.reduce((a, b) => a * b, 1);
      const values = Float32Array.from({ length: size }, () => 0.2 * random.normal());
      return [name, tf.tidy(() => tf.variable(tf.tensor(values, shape)))];
    }),
  );
  const model = new LanguageModel({
    name: "one key head",
    config,
    parameters,
    format: paperFormat,
  });
  const rows = Array.from({ length: 9 }, (_, i) => [
    ...Array.from({ length: 40 }, (_, k) => (k * 7) % 97),
    ...Array.from({ length: 2 + i }, (_, k) => (k * 11 + i) % 97),
  ]);
  const shared = await model.nextTokenLogits(rows);
  const plain: Float32Array[] = [];
  for (const row of rows) plain.push(...await model.nextTokenLogits([row]));
  shared.forEach((logits, i) =>
    logits.forEach((value, k) => assert.ok(Math.abs(value - plain[i][k]) <= 1e-5))
  );
  assert.ok(new Set(shared.map((logits) => logits[0])).size === rows.length, "rows differ");
  model.dispose();
});

for (const family of ["llama", "llama3-rope", "qwen3", "mistral"]) {
  Deno.test(`texts packed into rows of ${family} have the logits that each has alone`, async () => {
    const model = await loadModel(fixtureFolder(family), { tokenizer: false });
    // Of all lengths, so that rows hold several and gaps.
    const rows = Array.from(
      { length: 11 },
      (_, i) => Array.from({ length: 1 + (i * 5) % 19 }, (_, k) => (k * 13 + i * 7) % 90),
    );
    const together = await model.nextTokenLogits(rows);
    let worst = 0;
    for (const [i, row] of rows.entries()) {
      const [alone] = await model.nextTokenLogits([row]);
      alone.forEach((value, k) => worst = Math.max(worst, Math.abs(value - together[i][k])));
    }
    assert.ok(worst <= 1e-5, `worst difference ${worst}`);
    assert.ok(new Set(together.map((logits) => logits[0])).size === rows.length, "rows differ");
    model.dispose();
  });
}
