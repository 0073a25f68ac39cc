/**
 * Prints how far one backend is from PyTorch on one fixture, as JSON.
 * Run by model.test.ts: deno run -A _backend_check.ts BACKEND FIXTURE
 */
import { openBackend } from "../../lib/runtime/backend.ts";
import { loadModel } from "../../lib/model/load.ts";
import { lossAndGradients, Trainer } from "../../lib/finetune/trainer.ts";
import {
  fixtureFolder,
  largestDifference,
  readReference,
  relativeDifference,
  withPrefix,
} from "./_fixtures.ts";

const [backend, fixture] = Deno.args;
const { name } = await openBackend(backend as "wasm" | "cpu" | "webgpu" | "tensorflow");
const { batches, loss: expectedLoss, runs, tensors } = await readReference(fixture);
const [batch] = batches;
const model = await loadModel(fixtureFolder(fixture), { tokenizer: false });

const logits = Math.max(
  ...(await model.logits(batch.inputIds)).map((row, i) =>
    largestDifference(row, tensors.get(`logits.${i}`)!.data)
  ),
);
const { loss, gradients } = await lossAndGradients(model, batch);
const worstGradient = Math.max(
  ...[...withPrefix(tensors, "gradient")].map(([key, { data }]) =>
    relativeDifference(gradients.get(key) ?? [], data)
  ),
);
const { steps, losses, ...run } = runs.cosine;
const trainer = new Trainer(model, { ...run, totalSteps: steps });
const trained: number[] = [];
for (let step = 0; step < steps; step++) trained.push((await trainer.step(batches[step % 2])).loss);

console.log(JSON.stringify({
  backend: name,
  logits,
  loss: Math.abs(loss - expectedLoss),
  gradients: worstGradient,
  trained: largestDifference(trained, losses),
}));
