/** Compiled training steps beside the same steps uncompiled, for every family of models. */
import type { GradientCheckpointing } from "../../lib/model/architecture.ts";
import assert from "node:assert/strict";
import { nativeState } from "../../lib/platform/native/native.ts";
import { openBackend } from "../../lib/platform/runtime/backend.ts";
import type { LanguageModel } from "../../lib/model/language_model.ts";
import { loadModel } from "../../lib/model/files/load.ts";
import { lossAndGradients, Trainer } from "../../lib/model/trainer.ts";
import type { TrainerOptions } from "../../lib/model/trainer_options.ts";
import { fixtureFolder, fixtureNames, readReference, relativeDifference } from "./_fixtures.ts";
import { withThreads } from "./_threads.ts";

const native = nativeState();
if (native.ready) await openBackend("tensorflow");
else console.log(`Tests of compiled training skipped: ${native.reason}`);

const TOLERANCE = 1e-5;

const settings: Record<string, Partial<TrainerOptions>> = {
  "plain": {},
  "clipped, with decay": { clipNorm: .5, weightDecay: .1 },
  // Two rows go through the model at once, and the gradients are summed.
  "in parts": { batchTokens: 40, clipNorm: .5 },
};

function near(ours: ArrayLike<number>, theirs: ArrayLike<number>, what: string) {
  const difference = relativeDifference(ours, theirs);
  assert.ok(difference <= TOLERANCE, `${what} differs by ${difference} of its largest number`);
}

for (const name of fixtureNames) {
  Deno.test({
    name: `compiled steps of ${name} are the uncompiled ones`,
    ignore: !native.ready,
    async fn(t) {
      const { batches } = await readReference(name);
      const load = (compiled: boolean) =>
        loadModel(fixtureFolder(name), { tokenizer: false, compiled });
      const models: LanguageModel[] = [await load(true), await load(false)];
      const [compiled, uncompiled] = models;
      assert.ok(compiled.session !== undefined && uncompiled.session === undefined);
      const start = compiled.snapshot();

      await t.step("loss and gradients", async () => {
        const [ours, theirs] = [
          await lossAndGradients(compiled, batches[0]),
          await lossAndGradients(uncompiled, batches[0]),
        ];
        near([ours.loss], [theirs.loss], "loss");
        for (const [key, gradient] of theirs.gradients) {
          near(ours.gradients.get(key)!, gradient, `the gradient of ${key}`);
        }
      });

      for (const [kind, options] of Object.entries(settings)) {
        await t.step(`10 steps, ${kind}`, async () => {
          for (const model of models) model.restore(start);
          const trainers = models.map((model) =>
            new Trainer(model, { learningRate: 1e-3, totalSteps: 10, warmupSteps: 2, ...options })
          );
          for (const trainer of trainers) trainer.reserve(batches);
          for (let step = 0; step < 10; step++) {
            const batch = batches[step % 2];
            const [ours, theirs] = [await trainers[0].step(batch), await trainers[1].step(batch)];
            near([ours.loss], [theirs.loss], `loss of step ${step}`);
            near([ours.gradientNorm], [theirs.gradientNorm], `gradient norm of step ${step}`);
          }
          for (const [key, variable] of uncompiled.parameters) {
            near(compiled.parameters.get(key)!.dataSync(), variable.dataSync(), key);
          }
          const sums = [...compiled.state.keys()].filter((key) => key.startsWith("gradient/"));
          assert.equal(sums.length, kind === "in parts" ? compiled.parameters.size : 0);
          for (const trainer of trainers) trainer.dispose();
        });
      }
      for (const tensor of start.values()) tensor.dispose();
      for (const model of models) model.dispose();
    },
  });
}

Deno.test({
  name:
    "a part of a batch without labels counts nothing, and a batch that fails leaves nothing behind",
  ignore: !native.ready,
  async fn() {
    const { batches: [{ inputIds, labels }] } = await readReference("qwen2");
    const long = inputIds[1].length;
    // The longest rows make the first parts; the last row is the only one of its part.
    const batch = {
      inputIds: [inputIds[1], inputIds[3], inputIds[0], inputIds[1].map(() => 5)],
      labels: [labels[1], labels[3], labels[0], inputIds[1].map(() => -100)],
    };
    const options = { learningRate: 1e-3, totalSteps: 10, warmupSteps: 0, clipNorm: 1 };
    const run = async (batchTokens: number | undefined, fails: boolean) => {
      const model = await loadModel(fixtureFolder("qwen2"), { tokenizer: false });
      const trainer = new Trainer(model, { ...options, batchTokens });
      if (fails) {
        const wrong = { ...batch, labels: batch.labels.with(2, inputIds[0].map(() => 10 ** 6)) };
        await assert.rejects(trainer.step(wrong), /expected labels from 0 to/);
        assert.equal(trainer.steps, 0);
      }
      const results = [await trainer.step(batch), await trainer.step(batch)];
      trainer.dispose();
      model.dispose();
      return results;
    };
    const whole = await run(8192, false);
    for (const fails of [false, true]) {
      const parts = await run(long, fails);
      parts.forEach(({ loss, gradientNorm }, step) => {
        near([loss], [whole[step].loss], `loss of step ${step}`);
        near([gradientNorm], [whole[step].gradientNorm], `gradient norm of step ${step}`);
      });
    }
  },
});

for (const name of fixtureNames) {
  Deno.test({
    name: `${name}: what all rows start with is computed once, and the steps are the same`,
    ignore: !native.ready,
    async fn() {
      const start = [3, 14, 15, 9, 26, 5];
      const inputIds = Array.from(
        { length: 9 },
        (_, b) => [...start, ...Array.from({ length: 5 + b % 4 }, (_, t) => (7 * b + 11 * t) % 60)],
      );
      // Some rows have labels in the shared start too.
      const labels = inputIds.map((row, b) => row.map((id, t) => t < 8 && b % 3 > 0 ? -100 : id));
      const weights = labels.map((row, b) => row.map((_, t) => 1 + (b + t) % 3));
      const options = { learningRate: 1e-3, totalSteps: 9, clipNorm: 1 };
      // Of other lengths than those that are reserved.
      const others = [7, 40].map((length) => [
        ...start,
        ...Array.from({ length: length - start.length }, (_, t) => 17 * t % 60),
      ]);
      const run = async (
        compiled: boolean,
        isShared: boolean,
        gradientCheckpointing: GradientCheckpointing = "nothing",
      ) => {
        const model = await loadModel(fixtureFolder(name), { tokenizer: false, compiled });
        const trainer = new Trainer(model, { ...options, gradientCheckpointing });
        if (isShared) trainer.reserve([{ inputIds, labels }]);
        const { slidingWindow = Infinity } = model.config;
        const forward = model.forward.bind(model), shapes: number[][] = [];
        model.forward = (ids, how) => (shapes.push(ids.shape), forward(ids, how));
        const steps = [];
        for (let i = 0; i < 3; i++) steps.push(await trainer.step({ inputIds, labels, weights }));
        // One row more, of 8 tokens each in place of 14.
        if (isShared && slidingWindow >= 14) assert.deepEqual(shapes[0], [10, 8]);
        else assert.equal(shapes[0][0], 9);
        for (const row of others) {
          steps.push(await trainer.step({ inputIds: [row, row], labels: [row, row] }));
        }
        trainer.dispose();
        model.dispose();
        return steps;
      };
      const expected = await run(false, false);
      for (
        const [compiled, again] of [
          [true, "nothing"],
          [false, "nothing"],
          [true, "layer"],
          [false, "layer"],
        ] as const
      ) {
        // On more threads a small model's rows are computed in parts, which share no row.
        const steps = await withThreads(1, () => run(compiled, true, again));
        for (const [i, { loss, gradientNorm }] of steps.entries()) {
          near([loss], [expected[i].loss], `loss of step ${i}`);
          near([gradientNorm], [expected[i].gradientNorm], `gradient norm of step ${i}`);
        }
      }
    },
  });
}
