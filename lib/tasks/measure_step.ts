/**
 * Measures a training step in this process, with the backend that the environment asks for, and prints
 * it; started by `measureStep`.
 */
import * as tf from "@tensorflow/tfjs";
import { SideBySide } from "../model/side_by_side.ts";
import { Trainer } from "../model/trainer.ts";
import type { Batch } from "../model/batch.ts";
import { parameterShapes } from "../model/architecture.ts";
import { parseConfiguration } from "../model/configuration.ts";
import { LanguageModel } from "../model/language_model.ts";
import { paperFormat } from "../prompt.ts";
import type { Candidate, StepShape } from "../platform/runtime/backend_choice.ts";
import { STEP_LINE, TESTS } from "../platform/runtime/backend_choice.ts";
import { openBackend } from "../platform/runtime/backend.ts";
import { usesCard } from "../platform/compile/backend.ts";

/** Steps before those that count: graphs and shaders are compiled, memory is taken. */
const WARM = 2;

const TOTAL_STEPS = WARM + 20;

const MILLISECONDS = 2000;

/** Milliseconds of a model's step; as one of `together`, and tested afterwards, where they are several. */
async function measure(shape: Required<StepShape>): Promise<number> {
  const { vocabularySize, rows, length, together } = shape;
  const config = parseConfiguration({
    model_type: "llama",
    vocab_size: vocabularySize,
    hidden_size: shape.hiddenSize,
    num_hidden_layers: shape.layers,
    num_attention_heads: shape.heads,
    num_key_value_heads: shape.keyValueHeads,
    head_dim: shape.headDimension,
    intermediate_size: shape.intermediateSize,
    tie_word_embeddings: true,
  });
  const model = new LanguageModel({
    name: "a model to measure",
    config,
    parameters: new Map(
      parameterShapes(config).map(([name, shape]) => [
        name,
        tf.tidy(() => tf.variable(tf.randomNormal(shape, 0, 0.02))),
      ]),
    ),
    format: paperFormat,
  });
  const inputIds = Array.from(
    { length: rows },
    (_, row) => Array.from({ length }, (_, i) => (row * length + i) * 7919 % vocabularySize),
  );
  // About as many supervised tokens as answers have.
  const labels = inputIds.map((row) => row.map((id, i) => i < length - 4 ? -100 : id));
  const time = (members: number) => medianOf(stepper(model, { inputIds, labels }, members));
  const alone = await time(1);
  return together === 1 ? alone : await time(together) / together + TESTS * alone;
}

async function medianOf(take: () => Promise<unknown>): Promise<number> {
  const times: number[] = [];
  for (let taken = 0, spent = 0; taken < TOTAL_STEPS && spent < MILLISECONDS; taken++) {
    const start = performance.now();
    await take();
    if (taken < WARM) continue;
    times.push(performance.now() - start);
    spent += times.at(-1)!;
  }
  return times.sort((a, b) => a - b)[times.length >> 1];
}

/** What takes the next step of a model, or of so many copies of it at once. */
function stepper(model: LanguageModel, batch: Batch, members: number): () => Promise<unknown> {
  const options = { learningRate: 1e-5, totalSteps: TOTAL_STEPS, clipNorm: 1 };
  if (members === 1) {
    const trainer = new Trainer(model, options);
    return () => trainer.step(batch);
  }
  const trainer = new SideBySide(model.config, members);
  const each = Array.from({ length: members });
  const batches = each.map(() => Array<Batch>(TOTAL_STEPS).fill(batch));
  trainer.begin(batches, options, each.map(() => model.parameters));
  return () => trainer.step();
}

const report = (outcome: object) => console.log(STEP_LINE + JSON.stringify(outcome));
try {
  const [candidate, shape]: [Candidate, Required<StepShape>] = JSON.parse(Deno.args[0]);
  await openBackend(undefined, { install: false });
  if (candidate === "cuda" && !usesCard()) report({ unused: true });
  else report({ milliseconds: await measure(shape) });
} catch (error) {
  report({ error: error instanceof Error ? error.message : String(error) });
}
Deno.exit(0); // a WebGPU device would keep the process waiting
