import assert from "node:assert/strict";
import { join } from "node:path";
import * as tf from "@tensorflow/tfjs";
import { loadModel } from "../../lib/model/files/load.ts";
import { Trainer } from "../../lib/model/trainer.ts";
import { streamsFor } from "../../lib/platform/compile/streams.ts";
import { initialParameters } from "../../lib/organism/initial.ts";
import { pretrainingSizes } from "../../lib/world/settings.ts";
import { createWorld } from "../../lib/world/world.ts";
import { measuredStreams, organismModel, worldTokenizer } from "../../lib/organism/pretrain.ts";
import type { Choice } from "../../lib/platform/runtime/backend_choice.ts";
import { openBackend } from "../../lib/platform/runtime/backend.ts";
import { Random } from "../../lib/statistics/random.ts";
import { withVariables } from "../unit/_environment.ts";
import { fixtureFolder, relativeDifference } from "./_fixtures.ts";
import { withThreads } from "./_threads.ts";

await openBackend("tensorflow");
const random = new Random(5);
// Not a multiple of any number of parts, and of unequal lengths.
const inputIds = Array.from(
  { length: 17 },
  (_, i) => Array.from({ length: 7 + i % 5 }, () => random.integer(90)),
);
async function train(family: string, threads: number) {
  return await withThreads(threads, async () => {
    const model = await loadModel(fixtureFolder(family), { tokenizer: false });
    const trainer = new Trainer(model, { learningRate: 1e-3, totalSteps: 9, clipNorm: 1 });
    const steps = [];
    for (let i = 0; i < 4; i++) steps.push(await trainer.step({ inputIds, labels: inputIds }));
    const streams = model.session!.streams;
    const parameters = [...model.parameters].map(([name, variable]) =>
      [name, variable.dataSync() as Float32Array] as const
    );
    trainer.dispose();
    model.dispose();
    return { steps, streams, parameters: new Map(parameters) };
  });
}

for (const family of ["llama", "qwen3"]) {
  Deno.test({
    name: `a batch in parts side by side takes the steps of ${family} that it takes whole`,
    fn: async () => {
      const whole = await train(family, 1);
      assert.equal(whole.streams, 1);
      for (const threads of [2, 3]) {
        const parts = await train(family, threads);
        assert.equal(parts.streams, threads);
        for (const [i, { loss, gradientNorm }] of parts.steps.entries()) {
          assert.ok(Math.abs(loss / whole.steps[i].loss - 1) < 1e-6, `loss of step ${i}`);
          const ratio = gradientNorm / whole.steps[i].gradientNorm;
          assert.ok(Math.abs(ratio - 1) < 1e-5, `norm of step ${i}`);
        }
        for (const [name, values] of whole.parameters) {
          const difference = relativeDifference(parts.parameters.get(name)!, values);
          assert.ok(difference < 1e-4, `${name}: ${difference}`);
        }
      }
    },
  });
}

Deno.test({
  name: "a long pretraining measures once a machine in how many parts its steps are fastest",
  fn: async () => {
    const cache = await Deno.makeTempDir({ prefix: "streams-" }), { loadavg } = Deno;
    const world = createWorld({ seed: 3, size: "small" });
    const tiny = { ...pretrainingSizes.small, width: 8, heads: 2, mlpWidth: 16, layers: 1 };
    const { vocabularySize } = worldTokenizer(world);
    const folder = join(cache, "backend");
    const choose = (threads: number, changes: Partial<typeof tiny> = {}) =>
      withThreads(threads, () => measuredStreams(world, { ...tiny, ...changes }));
    const kept = () =>
      [...Deno.readDirSync(folder)].map(({ name }): Choice<number> & { path: string } => {
        const path = join(folder, name);
        return { ...JSON.parse(Deno.readTextFileSync(path)), path };
      }).sort((a, b) => a.at - b.at);
    Deno.loadavg = () => [0, 0, 0]; // whatever else runs
    try {
      await withVariables({ SELF_ALIGNING_CACHE: cache }, async () => {
        assert.equal(await choose(4, { tokens: 999 * tiny.batch * tiny.window }), undefined);
        assert.equal(await choose(4, { width: 512 }), undefined, "a large model");
        assert.equal(await choose(1), undefined);
        assert.deepEqual([...Deno.readDirSync(cache)], []);
        const chosen = await choose(4);
        const [{ path, ...choice }] = kept();
        assert.equal(choice.candidate, chosen);
        assert.deepEqual(choice.measured.map(({ candidate }) => candidate), [1, 2, 4]);
        const other = chosen === 2 ? 4 : 2;
        await Deno.writeTextFile(path, JSON.stringify({ ...choice, candidate: other }));
        assert.equal(await choose(4), other, "what is kept is taken");
        await choose(2);
        assert.deepEqual(kept()[1].measured.map(({ candidate }) => candidate), [1, 2]);
      });
      const model = organismModel(
        world,
        tiny,
        initialParameters(tiny, { vocabularySize, seed: 1 }),
        3,
      );
      assert.equal(model.session!.streams, 3);
      model.dispose();
    } finally {
      Deno.loadavg = loadavg;
      await Deno.remove(cache, { recursive: true });
    }
  },
});

Deno.test({
  name: "only small models' operations are kept on one thread each",
  fn: async () => {
    await withThreads(64, () => {
      const [small, large] = [2 ** 18, 2 ** 18 + 1].map((size) => tf.zeros([size]));
      assert.equal(streamsFor([small]), 4);
      assert.equal(streamsFor([small, large]), 1);
      tf.dispose([small, large]);
      return Promise.resolve();
    });
    await withThreads(1, () => Promise.resolve(assert.equal(streamsFor([]), 1)));
  },
});
