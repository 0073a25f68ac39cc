/**
 * Opens the backend that the environment asks for, in a process of its own; prints it and what it
 * computes, or the error, as JSON. With "broken" the wasm backend's products come out as zeros, with
 * "untrainable" its sums of several tensors; with "adapter" a graphics driver is loaded before; with
 * "card" TensorFlow says that it uses a card; with "graphics" a graphics card is found that is no
 * processor.
 */
import { createRequire } from "node:module";
import * as tf from "@tensorflow/tfjs";
import "@tensorflow/tfjs-backend-wasm";
import { inheritedBackend, openBackend } from "../../lib/platform/runtime/backend.ts";
import { withQuietStderr } from "../../lib/platform/native/_stderr.ts";
import { addonPlace, installNative } from "../../lib/platform/native/native.ts";

const broken = { broken: tf.BatchMatMul, untrainable: tf.AddN }[Deno.args[0]];
if (broken !== undefined) {
  const kernel = tf.getKernel(broken, "wasm")!;
  tf.unregisterKernel(broken, "wasm");
  tf.registerKernel({
    ...kernel,
    kernelFunc: (task) => {
      const result = kernel.kernelFunc(task);
      (task.backend as { typedArrayFromHeap(of: unknown): Float32Array }).typedArrayFromHeap(result)
        .fill(0);
      return result;
    },
  });
}
if (Deno.args.includes("adapter")) await navigator.gpu?.requestAdapter();
if (Deno.args.includes("graphics")) {
  const info = { description: `Stand-in ${crypto.randomUUID()}`, vendor: "", device: "" };
  Object.defineProperty(navigator, "gpu", { value: { requestAdapter: () => ({ info }) } });
}
if (Deno.args.includes("card")) {
  await installNative({ download: false });
  const require = createRequire(import.meta.url);
  Deno.env.set("TF_CPP_MIN_LOG_LEVEL", "3");
  withQuietStderr(() => require(addonPlace()));
  const binding = require(addonPlace());
  const module = require.cache[Deno.realPathSync(addonPlace())] ?? require.cache[addonPlace()]!;
  module.exports = Object.create(binding, { isUsingGpuDevice: { value: () => true } });
}
const told: string[] = [];
try {
  const backend = await openBackend(undefined, {
    install: false,
    progress: (line) => told.push(line),
  });
  const product = tf.matMul(tf.ones([2, 3]), tf.ones([3, 2]));
  const engine = tf.getBackend();
  const before = tf.memory().numTensors;
  const gradient = tf.tidy(() => {
    const weights = tf.range(1, 31).reshape([5, 2, 3]);
    const ids = tf.tensor1d([4, 1, 4, 0, 4], "int32");
    return tf.grad((x) => tf.sum(tf.mul(tf.gather(x, ids), weights)))(tf.ones([5, 2, 3]));
  });
  const gathered = [...await gradient.data()];
  gradient.dispose();
  const leaked = tf.memory().numTensors - before;
  console.log(JSON.stringify({
    ...{ backend, told, engine, gathered, leaked },
    product: [...await product.data()],
    environment: { ...Deno.env.toObject(), ...inheritedBackend() },
  }));
  Deno.exit(0); // a WebGPU device would keep the process waiting
} catch (error) {
  console.log(JSON.stringify({ error: (error as Error).message }));
}
