/**
 * Prints what one backend computes with one fixture, as lists of numbers in JSON; or why it is not there.
 * Run by backends.test.ts in a process of its own: deno run -A _backend_check.ts BACKEND FIXTURE
 */
import * as tf from "@tensorflow/tfjs";
import { lossAndGradients, Trainer } from "../../lib/model/trainer.ts";
import type { TrainerOptions } from "../../lib/model/trainer_options.ts";
import { loadLora, saveLora } from "../../lib/model/files/adapter_folder.ts";
import { generateTokens } from "../../lib/model/generate.ts";
import type { LanguageModel } from "../../lib/model/language_model.ts";
import { loadModel } from "../../lib/model/files/load.ts";
import { addLora, dropLora } from "../../lib/model/lora.ts";
import { type BackendName, openBackend } from "../../lib/platform/runtime/backend.ts";
import { fixtureFolder, readReference } from "./_fixtures.ts";

const [backend, fixture] = Deno.args;
try {
  await openBackend(backend as BackendName);
} catch (error) {
  const { message } = error as Error;
  if (!message.includes("Deno finds no graphics card")) throw error;
  console.log(JSON.stringify({ skipped: message }));
  Deno.exit(0);
}
const { batches, runs } = await readReference(fixture);
const [batch] = batches;
const folder = await Deno.makeTempDir();
const load = (from = fixtureFolder(fixture)) => loadModel(from, { tokenizer: false });
const found: Record<string, number[]> = {};
const flat = (rows: Iterable<number>[]) => rows.flatMap((row) => [...row]);
const logitsOf = async (model: LanguageModel) => flat(await model.logits(batch.inputIds));

const { steps, losses: _, gradientNorms: __, learningRates: ___, ...run } = runs.cosine;
const options: TrainerOptions = { ...run, totalSteps: steps };
/** Some steps: losses and norms, told under a name. */
async function train(name: string, trainer: Trainer, until: number): Promise<void> {
  for (let step = trainer.steps; step < until; step++) {
    const { loss, gradientNorm } = await trainer.step(batches[step % 2]);
    (found[`${name} losses`] ??= []).push(loss);
    (found[`${name} norms`] ??= []).push(gradientNorm);
  }
}

const model = await load();
found.logits = await logitsOf(model);
const { loss, gradients } = await lossAndGradients(model, batch);
found.loss = [loss];
for (const [key, values] of gradients) found[`gradient ${key}`] = [...values];
const prompt = [3, 14, 15, 9, 26, 5, 35, 8, 9, 7];
found.generated = [];
for await (const id of generateTokens(model, prompt, { maxNewTokens: 20 })) {
  found.generated.push(id);
}

// A prefix of 37 tokens that nine rows share.
const head = Array.from({ length: 37 }, (_, i) => (i * 7) % 90);
const rows = Array.from({ length: 9 }, (_, i) => [
  ...head,
  ...Array.from({ length: 3 + i }, (_, k) => (k * 11 + i) % 90),
]);
found["next tokens"] = flat(await model.nextTokenLogits(rows));
const apart: Float32Array[] = [];
for (const row of rows) apart.push(...await model.nextTokenLogits([row]));
found["next tokens apart"] = flat(apart);
found["log-probabilities"] = flat(await model.tokenLogProbabilities(rows, rows.map(() => 38)));

const trainer = new Trainer(model, options);
await train("trained", trainer, 3);
await trainer.save(`${folder}/trainer`);
await train("trained", trainer, steps);
const norm = model.parameters.get("model.norm.weight")!;
const kept = tf.tensor(await norm.data(), norm.shape);
norm.assign(tf.fill(norm.shape, Infinity));
found.refused = [await trainer.step(batch).then(() => 0, ({ message }) => +/finite/.test(message))];
norm.assign(kept);
found["trained logits"] = await logitsOf(model);
await model.save(`${folder}/model`);
found["saved logits"] = await logitsOf(await load(`${folder}/model`));

const resumed = await load();
await train("resumed", await Trainer.resume(resumed, `${folder}/trainer`), steps);
found["resumed logits"] = await logitsOf(resumed);

const variants: Record<string, Partial<TrainerOptions>> = {
  accumulated: { batchTokens: 16 },
  checkpointed: { gradientCheckpointing: "layer" },
};
for (const [name, variant] of Object.entries(variants)) {
  await train(name, new Trainer(await load(), { ...options, ...variant }), 3);
}

const adapted = await load();
addLora(adapted, { rank: 4, seed: 1 });
await train("adapter", new Trainer(adapted, { ...options, lora: {} }), 4);
found["adapter logits"] = await logitsOf(adapted);
await saveLora(adapted, `${folder}/adapter`);
dropLora(adapted);
await loadLora(adapted, `${folder}/adapter`);
found["saved adapter logits"] = await logitsOf(adapted);

await Deno.remove(folder, { recursive: true });
console.log(JSON.stringify(found));
Deno.exit(0);
