/** Where a page computes: WebAssembly, or WebGPU where a measured training step is faster there. */
import * as tf from "@tensorflow/tfjs";
import { setWasmPaths } from "@tensorflow/tfjs-backend-wasm";
import "@tensorflow/tfjs-backend-webgpu";
import { finetune } from "../finetune.ts";
import { registerMissingKernels } from "../platform/runtime/_kernels.ts";
import { watchWebGpu } from "../platform/runtime/_webgpu.ts";
import { probe } from "../probe.ts";
import { disposeSubject, type Subject } from "./subject.ts";

export type PageBackend = "wasm" | "webgpu";

/** The only build that is served: every browser since 2023 has SIMD; threads need special headers. */
export const WASM_FILE = "tfjs-backend-wasm-simd.wasm";

/** Where the WebAssembly file is, and how the subject is read. */
interface Place {
  /** A whole address that ends in a slash. */
  folder: string;
  read: () => Promise<Subject>;
}

/** Opens a backend, and the subject on it. @throws where it does not work here, or computes wrongly */
async function open(name: PageBackend, { folder, read }: Place): Promise<Subject> {
  if (name === "wasm") {
    tf.env().set("WASM_HAS_MULTITHREAD_SUPPORT", false);
    setWasmPaths(folder);
  }
  registerMissingKernels(name);
  if (name === "webgpu") watchWebGpu();
  if (!await tf.setBackend(name)) throw new Error(`TensorFlow.js could not start ${name}`);
  const subject = await read();
  await checkAnswers(subject);
  return subject;
}

/** Whether the model answers as it did where the site was built. @throws where it does not */
async function checkAnswers({ model, material, base }: Subject): Promise<void> {
  const [{ pool: { name, questions, demonstrations } }] = material.domains.values();
  const found = await probe(model, questions.slice(0, 4), { demonstrations: [...demonstrations] });
  const off = Math.max(
    ...found.flatMap(({ probabilities }, i) =>
      probabilities.map((p, k) => Math.abs(p - base.get(name)![i].probabilities[k]))
    ),
  );
  if (off < 1e-3) return;
  throw new Error(
    `Cannot compute here: expected the probabilities that the site was built with; found others, ` +
      `by up to ${off}; try another browser`,
  );
}

/** Opens a backend and trains there: milliseconds of a step, the first two not counted, and losses. */
async function measureStep(name: PageBackend, place: Place) {
  const subject = await open(name, place), times: number[] = [];
  const { losses } = await finetune(subject.model, subject.material.general.slice(0, 16), {
    epochs: 4,
    onStep: () => void times.push(performance.now()),
  });
  disposeSubject(subject);
  return { milliseconds: (times[3] - times[1]) / 2, losses };
}

/** Whether there is a graphics card, and not the processor in its place. */
async function hasCard(): Promise<boolean> {
  const adapter = await navigator.gpu?.requestAdapter().catch(() => null);
  if (!adapter) return false;
  const { vendor, architecture, description } = adapter.info;
  return !/swiftshader|llvmpipe/i.test(`${vendor} ${architecture} ${description}`);
}

/**
 * Opens the faster backend, and the subject on it. WebGPU must also lose as WebAssembly does: a card
 * can compute wrongly without an error.
 * @param wanted takes this one, unmeasured
 */
export async function openFastest(place: Place, wanted?: PageBackend) {
  /** Of a training step, of backends that were measured. */
  let milliseconds: Partial<Record<PageBackend, number>> = {};
  if (wanted !== undefined || !await hasCard()) {
    const backend = wanted ?? "wasm";
    return { subject: await open(backend, place), backend, milliseconds };
  }
  const wasm = await measureStep("wasm", place);
  let webgpu: typeof wasm | undefined;
  try {
    const { milliseconds, losses } = await measureStep("webgpu", place);
    if (losses.some((loss, i) => !(Math.abs(loss - wasm.losses[i]) < 1e-3))) {
      throw new Error(`its losses are ${losses}, not ${wasm.losses}`);
    }
    webgpu = { milliseconds, losses };
  } catch (error) {
    console.info(`WebGPU is not used: ${error instanceof Error ? error.message : error}`);
  }
  const backend: PageBackend = webgpu && webgpu.milliseconds < wasm.milliseconds
    ? "webgpu"
    : "wasm";
  await tf.setBackend(backend);
  milliseconds = { wasm: wasm.milliseconds, webgpu: webgpu?.milliseconds };
  return { subject: await place.read(), backend, milliseconds };
}
