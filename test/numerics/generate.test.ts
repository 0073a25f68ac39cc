import assert from "node:assert/strict";
import * as tf from "@tensorflow/tfjs";
import { generateTokens } from "../../lib/model/generate.ts";
import { loadModel } from "../../lib/model/files/load.ts";
import { fixtureFolder } from "./_fixtures.ts";

const prompt = [3, 14, 15, 9, 26, 5, 35, 8, 9, 7];

for (const family of ["llama", "llama-bias", "llama3-rope", "qwen2", "qwen3"]) {
  for (const compiled of [true, false]) {
    const how = compiled ? "compiled" : "uncompiled";
    Deno.test(`generateTokens() of ${family}, ${how}, takes what whole passes take`, async () => {
      const model = await loadModel(fixtureFolder(family), { tokenizer: false, compiled });
      const written: number[] = [];
      for await (const id of generateTokens(model, prompt, { maxNewTokens: 36 })) written.push(id);
      const expected: number[] = [];
      for (let i = 0; i < 36; i++) {
        const [logits] = await model.nextTokenLogits([[...prompt, ...expected]]);
        expected.push(logits.indexOf(Math.max(...logits)));
      }
      assert.deepEqual(written, expected);
      assert.ok(new Set(written).size > 1);
      model.dispose();
    });
  }
}

Deno.test("generateTokens() draws by its seed, keeps no tensor, and refuses what is too long", async () => {
  const model = await loadModel(fixtureFolder("llama"), { tokenizer: false });
  const draw = async (seed: number) => {
    const ids: number[] = [];
    const options = { maxNewTokens: 12, temperature: 1.5, topP: 0.95, seed };
    for await (const id of generateTokens(model, prompt, options)) ids.push(id);
    return ids;
  };
  const first = await draw(1);
  const tensors = tf.memory().numTensors;
  assert.deepEqual(await draw(1), first);
  assert.notDeepEqual(await draw(2), first);
  // A reader that stops early frees the cache too.
  for await (const _ of generateTokens(model, prompt)) break;
  assert.equal(tf.memory().numTensors, tensors);
  await assert.rejects(
    async () => {
      for await (const _ of generateTokens(model, prompt, { maxNewTokens: 1e6 })) break;
    },
    /shorten the prompt or lower maxNewTokens/,
  );
  model.dispose();
});
