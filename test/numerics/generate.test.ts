import assert from "node:assert/strict";
import * as tf from "@tensorflow/tfjs";
import { generateTokens, sample } from "../../lib/model/generate.ts";
import { loadModel } from "../../lib/model/files/load.ts";
import { fixtureFolder } from "./_fixtures.ts";
import { Random } from "../../lib/statistics/random.ts";

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

Deno.test("sample() refuses logits that a model has none of, and takes impossible tokens", () => {
  for (const temperature of [0, 1]) {
    const from = (...logits: number[]) =>
      sample(Float32Array.from(logits), { temperature, topP: 1, random: new Random(3) });
    assert.equal(from(-Infinity, 3, -Infinity), 1);
    for (const wrong of [NaN, Infinity]) {
      assert.throws(() => from(1, wrong, 2), /found (NaN|Infinity)/);
    }
    assert.throws(() => from(-Infinity, -Infinity), /expected finite logits/);
  }
});

Deno.test("sample() draws as from the tokens in order, without comparing them one by one", () => {
  const random = new Random("sample"), { sort } = Array.prototype;
  const inOrder = (
    logits: Float32Array,
    { temperature, topP }: { temperature: number; topP: number },
    drawn: number,
  ) => {
    const order = [...logits.keys()].sort((a, b) => logits[b] - logits[a]);
    if (temperature === 0) return order[0];
    const weights = order.map((id) => Math.exp((logits[id] - logits[order[0]]) / temperature));
    const total = weights.reduce((a, b) => a + b);
    let count = 0, mass = 0;
    do mass += weights[count++]; while (count < order.length && mass < topP * total);
    let rest = drawn * mass;
    return order[weights.slice(0, count).findIndex((weight) => (rest -= weight) < 0)];
  };
  for (let seed = 0; seed < 400; seed++) {
    // Many are equal, and some are zeros of both signs.
    const logits = Float32Array.from(
      { length: 1 + random.integer(99) },
      () => seed % 2 ? random.normal() * 3 : Math.round(random.normal()),
    );
    for (const temperature of [0, 0.5, 2]) {
      for (const topP of [0, 0.3, 0.9, 1]) {
        const expected = inOrder(logits, { temperature, topP }, new Random(seed).next());
        try {
          Array.prototype.sort = () => assert.fail("sorted by a comparison");
          const found = sample(logits, { temperature, topP, random: new Random(seed) });
          assert.equal(found, expected, `${seed} ${temperature} ${topP}`);
        } finally {
          Array.prototype.sort = sort;
        }
      }
    }
  }
});
