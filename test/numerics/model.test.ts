/** The model, its gradients and its optimiser against PyTorch's numbers (fixtures/models). */
import assert from "node:assert/strict";
import { join } from "node:path";
import * as tf from "@tensorflow/tfjs";
import { openBackend } from "../../lib/platform/runtime/backend.ts";
import type { LanguageModel } from "../../lib/model/language_model.ts";
import { loadModel } from "../../lib/model/files/load.ts";
import { lossAndGradients, Trainer } from "../../lib/model/trainer.ts";
import type { TrainerOptions } from "../../lib/model/trainer_options.ts";
import {
  type Batch,
  fixtureFolder,
  fixtureNames,
  largestDifference,
  readReference,
  readTensors,
  type Reference,
  type ReferenceRun,
  relativeDifference,
  type Tensors,
  withPrefix,
} from "./_fixtures.ts";
import { withFolder } from "../unit/_folder.ts";
import {} from "../unit/_safetensors.ts";

const references = new Map<string, Reference>();
for (const name of fixtureNames) references.set(name, await readReference(name));

/** Loads the model of `folder` for `body`, and frees it afterwards. */
async function withModel(folder: string, body: (model: LanguageModel) => Promise<void>) {
  await openBackend();
  const model = await loadModel(folder, { tokenizer: false });
  try {
    await body(model);
  } finally {
    model.dispose();
  }
}

async function checkLogits(model: LanguageModel, reference: Reference, prefix = "logits") {
  const { inputIds } = reference.batches[0];
  const logits = await model.logits(inputIds);
  assert.equal(logits.length, inputIds.length);
  for (const [i, row] of logits.entries()) {
    const expected = reference.tensors.get(`${prefix}.${i}`)!;
    assert.equal(row.length, expected.shape[0] * expected.shape[1]);
    const difference = largestDifference(row, expected.data);
    assert.ok(difference <= 1e-4, `row ${i}: logits differ by ${difference}`);
  }
}

function checkTensors(ours: Map<string, ArrayLike<number>>, theirs: Tensors, tolerance: number) {
  assert.deepEqual([...ours.keys()].sort(), [...theirs.keys()].sort());
  for (const [name, { data }] of theirs) {
    const difference = relativeDifference(ours.get(name)!, data);
    assert.ok(difference <= tolerance, `${name} differs by ${difference} of its largest number`);
  }
}

/** The model's parameters as a checkpoint has them. */
async function savedTensors(model: LanguageModel): Promise<Tensors> {
  let tensors: Tensors = new Map();
  await withFolder(async (folder) => {
    await model.save(folder);
    tensors = await readTensors(join(folder, "model.safetensors"));
  });
  return tensors;
}

function optionsOf(run: ReferenceRun): TrainerOptions {
  const { learningRate, warmupSteps, schedule, clipNorm, weightDecay } = run;
  const { beta1, beta2, epsilon, steps: totalSteps } = run;
  return {
    learningRate,
    totalSteps,
    warmupSteps,
    schedule,
    clipNorm,
    weightDecay,
    beta1,
    beta2,
    epsilon,
  };
}

/** Takes the run's steps from `trainer.steps` to `end` and holds each to PyTorch's. */
async function takeSteps(trainer: Trainer, reference: Reference, runName: string, end?: number) {
  const run = reference.runs[runName];
  for (let step = trainer.steps; step < (end ?? run.steps); step++) {
    const result = await trainer.step(reference.batches[step % 2]);
    const near = (what: string, ours: number, theirs: number, tolerance: number) => {
      const difference = Math.abs(ours - theirs);
      assert.ok(difference <= tolerance, `step ${step}: ${what} ${ours}, PyTorch ${theirs}`);
    };
    near("learning rate", result.learningRate, run.learningRates[step], 1e-9);
    near("loss", result.loss, run.losses[step], step === 0 ? 1e-5 : 1e-3);
    // The norm before clipping, as clip_grad_norm_ returns it.
    const norm = run.gradientNorms[step];
    near("gradient norm", result.gradientNorm, norm, 1e-3 * norm);
  }
}

/** Holds the parameters after a run to PyTorch's. */
async function checkTrained(model: LanguageModel, name: string, runName: string) {
  const ours = await savedTensors(model);
  const theirs = withPrefix(references.get(name)!.tensors, `trained.${runName}`);
  checkTensors(new Map([...ours].map(([key, { data }]) => [key, data])), theirs, 1e-3);
  // What was learnt is a small part of the numbers, so it is held by itself as well.
  for (const [key, start] of await readTensors(join(fixtureFolder(name), "model.safetensors"))) {
    const change = (tensors: Tensors) =>
      tensors.get(key)!.data.map((value, i) => value - start.data[i]);
    const difference = relativeDifference(change(ours), change(theirs));
    assert.ok(difference <= 5e-3, `the change of ${key} differs by ${difference}`);
  }
}

for (const [name, reference] of references) {
  const folder = fixtureFolder(name);
  const [batch] = reference.batches;

  Deno.test(`logits() of ${name} are PyTorch's, rows of any length`, async () => {
    await withModel(folder, (model) => checkLogits(model, reference));
  });

  Deno.test(`logits() of ${name}'s rows do not depend on what they are padded with`, async () => {
    await withModel(folder, async (model) => {
      const together = await model.logits(batch.inputIds);
      for (const [i, row] of batch.inputIds.entries()) {
        const [alone] = await model.logits([row]);
        const difference = largestDifference(alone, together[i]);
        assert.ok(difference <= 1e-5, `row ${i} differs by ${difference}`);
      }
    });
  });

  Deno.test(`lossAndGradients() of ${name} are PyTorch's`, async () => {
    await withModel(folder, async (model) => {
      const { loss, gradients } = await lossAndGradients(model, batch);
      const difference = Math.abs(loss - reference.loss);
      assert.ok(difference <= 1e-5, `loss ${loss}, PyTorch ${reference.loss}`);
      checkTensors(gradients, withPrefix(reference.tensors, "gradient"), 1e-3);
    });
  });

  Deno.test(`lossAndGradients() of two halves of ${name}'s batch add up to the whole`, async () => {
    await withModel(folder, async (model) => {
      const { losses, supervised } = reference.accumulation;
      const total = supervised[0] + supervised[1];
      const sums = new Map<string, Float32Array>();
      for (const half of [0, 1]) {
        const rows = (list: number[][]) => list.slice(2 * half, 2 * half + 2);
        const part: Batch = { inputIds: rows(batch.inputIds), labels: rows(batch.labels) };
        const { loss, gradients } = await lossAndGradients(model, part);
        assert.ok(Math.abs(loss - losses[half]) <= 1e-5, `half ${half}: ${loss}, ${losses[half]}`);
        for (const [key, gradient] of gradients) {
          const sum = sums.get(key) ?? new Float32Array(gradient.length);
          sums.set(key, sum.map((value, i) => value + gradient[i] * supervised[half] / total));
        }
      }
      checkTensors(sums, withPrefix(reference.tensors, "gradient"), 1e-3);
    });
  });

  for (const [runName, run] of Object.entries(reference.runs)) {
    Deno.test(`Trainer takes ${name} where PyTorch's AdamW does (${runName})`, async () => {
      await withModel(folder, async (model) => {
        const trainer = new Trainer(model, optionsOf(run));
        await takeSteps(trainer, reference, runName);
        trainer.dispose();
        await checkTrained(model, name, runName);
      });
    });
  }

  Deno.test(`save() then loadModel() gives ${name} back`, async () => {
    await withFolder(async (copy) => {
      await withModel(folder, (model) => model.save(copy));
      await withModel(copy, (model) => checkLogits(model, reference));
      const before = await readTensors(join(folder, "model.safetensors"));
      const after = await readTensors(join(copy, "model.safetensors"));
      assert.deepEqual([...after.keys()].sort(), [...before.keys()].sort());
      for (const [key, tensor] of before) assert.deepEqual(after.get(key), tensor, key);
    });
  });
}

Deno.test("a head of its own counts where config.json calls it tied, in training and saving too", async () => {
  const [folder, reference] = [fixtureFolder("llama"), references.get("llama")!];
  await withFolder(async (tied) => {
    const config = JSON.parse(await Deno.readTextFile(join(folder, "config.json")));
    assert.equal(config.tie_word_embeddings, false);
    const lying = JSON.stringify({ ...config, tie_word_embeddings: true });
    await Deno.writeTextFile(join(tied, "config.json"), lying);
    await Deno.copyFile(join(folder, "model.safetensors"), join(tied, "model.safetensors"));
    const saved = join(tied, "saved");
    await withModel(tied, async (model) => {
      await checkLogits(model, reference);
      const { gradients } = await lossAndGradients(model, reference.batches[0]);
      checkTensors(gradients, withPrefix(reference.tensors, "gradient"), 1e-3);
      await model.save(saved);
    });
    const written = JSON.parse(await Deno.readTextFile(join(saved, "config.json")));
    assert.equal(written.tie_word_embeddings, false);
    await withModel(saved, (model) => checkLogits(model, reference));
  });
});

Deno.test("Trainer refuses a model with dropout, which can be asked all the same", async () => {
  const [folder, reference] = [fixtureFolder("llama"), references.get("llama")!];
  await withFolder(async (copy) => {
    const config = JSON.parse(await Deno.readTextFile(join(folder, "config.json")));
    await Deno.writeTextFile(
      join(copy, "config.json"),
      JSON.stringify({ ...config, attention_dropout: 0.1 }),
    );
    await Deno.copyFile(join(folder, "model.safetensors"), join(copy, "model.safetensors"));
    await withModel(copy, async (model) => {
      await checkLogits(model, reference);
      assert.throws(
        () => new Trainer(model, { learningRate: 0.01, totalSteps: 1 }),
        /attention_dropout 0; found 0\.1/,
      );
    });
  });
});

Deno.test("loadModel() reads a checkpoint in several files", async () => {
  await withModel(
    join(fixtureFolder("llama"), "sharded"),
    (model) => checkLogits(model, references.get("llama")!),
  );
});

Deno.test("loadModel() reads bfloat16", async () => {
  const reference = references.get("qwen2")!;
  await withModel(
    join(fixtureFolder("qwen2"), "bf16"),
    (model) => checkLogits(model, reference, "bf16.logits"),
  );
  const rounding = largestDifference(
    reference.tensors.get("bf16.logits.1")!.data,
    reference.tensors.get("logits.1")!.data,
  );
  assert.ok(rounding > 1e-3, "the rounded weights should show in the logits");
});

Deno.test("loadModel() reads rope_theta and rope_scaling as older configurations have them", async () => {
  for (const name of ["llama-tied", "llama3-rope", "llama-bias"]) {
    await withFolder(async (folder) => {
      const config = JSON.parse(await Deno.readTextFile(join(fixtureFolder(name), "config.json")));
      const { rope_theta, ...scaling } = config.rope_parameters;
      delete config.rope_parameters;
      config.rope_theta = rope_theta;
      config.rope_scaling = scaling.rope_type === "default" ? null : scaling;
      await Deno.writeTextFile(join(folder, "config.json"), JSON.stringify(config));
      await Deno.copyFile(
        join(fixtureFolder(name), "model.safetensors"),
        join(folder, "model.safetensors"),
      );
      await withModel(folder, (model) => checkLogits(model, references.get(name)!));
    });
  }
});

Deno.test("parameters carry the checkpoint's names", async () => {
  for (const name of fixtureNames) {
    const expected = await readTensors(join(fixtureFolder(name), "model.safetensors"));
    await withModel(fixtureFolder(name), (model) => {
      assert.deepEqual([...model.parameters.keys()].sort(), [...expected.keys()].sort(), name);
      return Promise.resolve();
    });
  }
});

Deno.test("Trainer keeps the number of tensors, and dispose() frees all of the model's", async () => {
  await openBackend();
  const { batches, runs } = references.get("qwen2")!;
  const before = tf.memory().numTensors;
  const model = await loadModel(fixtureFolder("qwen2"), { tokenizer: false });
  const trainer = new Trainer(model, { ...optionsOf(runs.linear), totalSteps: 100 });
  for (const batch of batches) await trainer.step(batch);
  const warm = tf.memory().numTensors;
  for (let step = 0; step < 6; step++) await trainer.step(batches[step % 2]);
  assert.equal(tf.memory().numTensors, warm);
  await model.logits(batches[0].inputIds);
  await lossAndGradients(model, batches[0]);
  assert.equal(tf.memory().numTensors, warm);
  trainer.dispose();
  model.dispose();
  assert.equal(tf.memory().numTensors, before);
});

Deno.test("Trainer learns a batch by heart", async () => {
  await withModel(fixtureFolder("qwen3"), async (model) => {
    const [batch] = references.get("qwen3")!.batches;
    const trainer = new Trainer(model, {
      learningRate: 0.02,
      totalSteps: 60,
      warmupSteps: 3,
      schedule: "cosine",
      clipNorm: 1,
      weightDecay: 0,
    });
    const losses: number[] = [];
    for (let step = 0; step < 60; step++) losses.push((await trainer.step(batch)).loss);
    assert.ok(losses[0] > 4, `${losses[0]}`);
    assert.ok(losses[59] < 0.05, `${losses[59]}`);
  });
});

Deno.test("Trainer takes the same steps when a batch is split into several passes", async () => {
  const reference = references.get("qwen2")!;
  await withModel(fixtureFolder("qwen2"), async (model) => {
    // 24 padded tokens at once: the longest row alone, shorter ones together.
    const trainer = new Trainer(model, { ...optionsOf(reference.runs.cosine), batchTokens: 24 });
    await takeSteps(trainer, reference, "cosine");
    trainer.dispose();
    await checkTrained(model, "qwen2", "cosine");
  });
});

Deno.test("Trainer.resume() goes on where save() left off", async () => {
  const reference = references.get("qwen2")!;
  await withFolder(async (saved) => {
    await withModel(fixtureFolder("qwen2"), async (model) => {
      const trainer = new Trainer(model, optionsOf(reference.runs.cosine));
      await takeSteps(trainer, reference, "cosine", 6);
      await trainer.save(saved);
      trainer.dispose();
    });
    await withModel(fixtureFolder("qwen2"), async (model) => {
      const trainer = await Trainer.resume(model, saved);
      assert.equal(trainer.steps, 6);
      await takeSteps(trainer, reference, "cosine");
      trainer.dispose();
      await checkTrained(model, "qwen2", "cosine");
    });
  });
});

Deno.test("Trainer weighs each label's loss by the batch's weights", async () => {
  await withModel(fixtureFolder("llama-bias"), async (model) => {
    const inputIds = [references.get("llama-bias")!.batches[0].inputIds[1]];
    const [row] = inputIds;
    const only = (position: number) => [row.map((id, i) => i === position ? id : -100)];
    const near = (await lossAndGradients(model, { inputIds, labels: only(4) })).loss;
    const far = (await lossAndGradients(model, { inputIds, labels: only(15) })).loss;
    assert.ok(Math.abs(near - far) > 0.01, "the two labels' losses should differ");
    const labels = [row.map((id, i) => i === 4 || i === 15 ? id : -100)];
    const trainer = new Trainer(model, { learningRate: 0, totalSteps: 1 });
    const weights = [row.map((_, i) => i === 15 ? 5 : 1)];
    const { loss } = await trainer.step({ inputIds, labels, weights });
    const expected = (near + 5 * far) / 6;
    assert.ok(Math.abs(loss - expected) <= 1e-5, `${loss}, ${expected}`);
    trainer.dispose();
  });
});

Deno.test("Trainer refuses a step that is not finite and leaves the model as it was", async () => {
  await withModel(fixtureFolder("qwen2"), async (model) => {
    const { batches: [batch] } = references.get("qwen2")!;
    const trainer = new Trainer(model, {
      learningRate: 0.01,
      totalSteps: 10,
      schedule: "constant",
      weightDecay: 0.1,
    });
    const norm = model.parameters.get("model.norm.weight")!;
    const [first] = await model.logits(batch.inputIds);
    const kept = tf.tensor(await norm.data(), norm.shape);
    const broken = tf.fill(norm.shape, Infinity);
    norm.assign(broken);
    await assert.rejects(trainer.step(batch), /finite/);
    norm.assign(kept);
    tf.dispose([kept, broken]);
    const [again] = await model.logits(batch.inputIds);
    assert.deepEqual(again, first);
    assert.equal(trainer.steps, 0);
    // Nor did the moments take it in.
    const { loss } = await trainer.step(batch);
    assert.ok(Number.isFinite(loss));
    assert.ok((await trainer.step(batch)).loss < loss);
    trainer.dispose();
  });
});
