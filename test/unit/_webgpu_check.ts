/**
 * Prints what happens on WebGPU, as JSON, or why it is not there. In a process of its own, since a failed
 * device stays failed: deno run -A _webgpu_check.ts kernels|large|bindings|lost
 */
import * as tf from "@tensorflow/tfjs";
import { lossAndGradients, Trainer } from "../../lib/model/trainer.ts";
import { probe } from "../../lib/probe.ts";
import { openBackend } from "../../lib/platform/runtime/backend.ts";
import type { WebGPUBackend } from "@tensorflow/tfjs-backend-webgpu";
import { tinyModel } from "./_tiny_model.ts";

try {
  await openBackend("webgpu");
} catch (error) {
  const { message } = error as Error;
  if (!message.includes("Deno finds no graphics card")) throw error;
  console.log(JSON.stringify({ skipped: message }));
  Deno.exit(0);
}
const { device } = tf.backend() as WebGPUBackend;
const told: Record<string, unknown> = {};
const model = tinyModel();
const inputIds = [[5, 6, 7, 8], [9, 10, 11]];
const batch = { inputIds, labels: inputIds };
const trainer = new Trainer(model, { learningRate: 1e-3, totalSteps: 9, clipNorm: 1 });
const question = {
  ...{ id: "q", domain: "d", question: "Which?", choices: ["a", "b"], answer: 0 },
};
const folder = await Deno.makeTempDir();
const calls: Record<string, () => Promise<unknown>> = {
  step: () => trainer.step(batch),
  lossAndGradients: () => lossAndGradients(model, batch),
  logits: () => model.logits(inputIds),
  probe: () => probe(model, [question]),
  generate: () => model.generate("abc", { maxNewTokens: 3 }),
  save: () => model.save(folder),
  "trainer's save": () => trainer.save(folder),
};
/** What each call says: null where it gives a result. */
async function callAll() {
  const said: Record<string, string | null> = {};
  for (const [name, call] of Object.entries(calls)) {
    said[name] = await call().then(() => null, (error: Error) => error.message);
  }
  return said;
}
const allocated = () =>
  (tf.memory() as unknown as { numBytesAllocatedInGPU: number }).numBytesAllocatedInGPU;

const modes: Record<string, () => Promise<void>> = {
  async kernels() {
    // Computed, so that they are on the device.
    const terms = Array.from({ length: 60 }, (_, i) => tf.add(tf.tensor2d([[i, 1]]), 0));
    told.sum = [...await tf.addN(terms).data()];
    told.joined = [...await tf.concat(terms, 1).data()];
    told.stacked = [...await tf.stack(terms, 2).data()];
    const ids = tf.tensor1d([3, 0, 3, 7, -1, 0], "int32");
    const rows = tf.range(1, 25).reshape([6, 2, 2]);
    told.segments = await tf.unsortedSegmentSum(rows, ids, 4).array();
    told.whole = await tf.unsortedSegmentSum(tf.cast(rows, "int32"), ids, 4).array();
    told.none = await tf.unsortedSegmentSum(tf.zeros([0, 2]), tf.tensor1d([], "int32"), 3).array();

    // 64 tokens of a vocabulary of 50,000: a matrix of both would have 12.8 MB.
    const tokens = tf.tensor1d(Int32Array.from({ length: 64 }, (_, i) => i * i % 700), "int32");
    const x = tf.add(tf.randomNormal([64, 8]), 0);
    await tf.unsortedSegmentSum(x, tokens, 10).data();
    const before = allocated();
    const first = tf.unsortedSegmentSum(x, tokens, 50_000);
    told.bytes = allocated() - before;
    const bits = async (sum: tf.Tensor) => [...new Uint32Array((await sum.data()).slice().buffer)];
    const again = await bits(tf.unsortedSegmentSum(x, tokens, 50_000));
    told.same = (await bits(first)).every((word, i) => word === again[i]);
    try {
      x.dataSync();
    } catch (error) {
      told.atOnce = (error as Error).message;
    }
    told.calls = await callAll();
  },

  /** A tensor that no buffer can hold. */
  async large() {
    await trainer.step(batch);
    tf.sum(tf.fill([40_000, 40_000], 1));
    told.calls = await callAll();
  },

  /** One shader for all gradients' squares, as if the device had bindings for it. */
  async bindings() {
    await trainer.step(batch);
    const { maxComputeWorkgroupsPerDimension, maxBufferSize, maxStorageBufferBindingSize } =
      device.limits;
    Object.defineProperty(device, "limits", {
      value: {
        ...{ maxComputeWorkgroupsPerDimension, maxBufferSize, maxStorageBufferBindingSize },
        maxStorageBuffersPerShaderStage: 100,
      },
    });
    told.calls = await callAll();
    told.steps = trainer.steps;
  },

  async lost() {
    await trainer.step(batch);
    device.destroy();
    await device.lost;
    told.calls = await callAll();
  },
};
await modes[Deno.args[0]]();
await Deno.remove(folder, { recursive: true });
console.log(JSON.stringify(told));
Deno.exit(0);
