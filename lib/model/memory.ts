/**
 * How much memory a model takes, from its configuration alone: told before the weights are read and
 * before a training starts, not by a process that is killed.
 *
 * Estimates are of compiled steps on the native backend, in float32. Held to peaks of the whole process
 * (SmolLM2-135M, 2 cores; the process without a model has .4 GB): loading 1.4 GB told, 1.1 to 1.3 measured;
 * a full step of 4 x 128 tokens 3.6 told, 3.65 to 4.05 measured; 8 x 128 4.6 and 4.3; 2 x 512 5.1 and 5.0;
 * 8 x 128 with the MLPs computed again 3.8 and 3.4, 4 x 128 with whole layers 3.5 and 3.6; reading 64 x 128
 * tokens 1.7 and 1.4. So count on 15%, a fifth for reading.
 */
import * as tf from "@tensorflow/tfjs";
import { formatBytes, requireMemory } from "../runtime/memory.ts";
import { parameterShapes, type Recompute } from "./architecture.ts";
import type { ModelConfiguration } from "./configuration.ts";

/** Bytes, by what they are for. */
export interface MemoryEstimate {
  /** What the process has before, without a model: the program and the native library. */
  process: number;
  weights: number;
  /** Gradients, and the sums of those of a batch in parts. */
  gradients: number;
  /** AdamW's two. */
  moments: number;
  /** What the forward pass keeps for the gradient, or has at once where none is taken. */
  activations: number;
  /** Passing needs: tensors while they are read and clipped. */
  passing: number;
  total: number;
}

/** What is done with a model that is loaded. */
export interface MemoryUse {
  /** Most tokens at once, padding counted. */
  batchTokens: number;
  /** The longest row, in tokens. */
  length: number;
}

export interface TrainingUse extends MemoryUse {
  /** Default: nothing. */
  recompute?: Recompute;
  /** How many numbers are trained, e.g. an adapter's. Default: all of the model's. */
  trained?: number;
  /** A batch goes through in parts whose gradients are summed. Default: false. */
  summed?: boolean;
}

const FLOAT = 4;
const PROCESS = 0.6e9;
/** Backward passes hold pieces besides those that are counted. */
const FRAGMENTS = 1.2;

const sizeOf = (shape: number[]) => shape.reduce((a, b) => a * b, 1);

function sizes(configuration: ModelConfiguration): { all: number; largest: number } {
  const each = parameterShapes(configuration).map(([, shape]) => sizeOf(shape));
  return { all: each.reduce((a, b) => a + b, 0), largest: Math.max(...each) };
}

function sum(parts: Partial<Omit<MemoryEstimate, "total">>): MemoryEstimate {
  const all = {
    ...{ process: PROCESS, weights: 0, gradients: 0, moments: 0, activations: 0, passing: 0 },
    ...parts,
  };
  return { ...all, total: Object.values(all).reduce((a, b) => a + b, 0) };
}

/** While a model is read: its weights, and the largest tensor as it lies in the file and as float32. */
export function loadingMemory(configuration: ModelConfiguration): MemoryEstimate {
  const { all, largest } = sizes(configuration);
  return sum({ weights: FLOAT * all, passing: 2 * FLOAT * largest });
}

/** While it is probed: one layer's activations, and a block of logits (see `LanguageModel`). */
export function probingMemory(
  configuration: ModelConfiguration,
  { batchTokens, length, kept = 0 }: MemoryUse & {
    /** So many rows of logits stay in JavaScript's memory. Default: 0. */
    kept?: number;
  },
): MemoryEstimate {
  const { hiddenSize: d, intermediateSize: f, heads, vocabularySize } = configuration;
  const tokens = Math.max(batchTokens, length);
  return sum({
    weights: FLOAT * sizes(configuration).all,
    activations: FLOAT * tokens * (8 * d + 3 * f + 3 * heads * length),
    passing: FLOAT * (2 * 2 ** 24 + kept * vocabularySize),
  });
}

/** While it is trained by AdamW. */
export function trainingMemory(
  configuration: ModelConfiguration,
  { batchTokens, length, recompute = "nothing", trained, summed = false }: TrainingUse,
): MemoryEstimate {
  const { hiddenSize: d, intermediateSize: f, heads, layers } = configuration;
  const { all, largest } = sizes(configuration);
  const own = FLOAT * (trained ?? all);
  const tokens = FLOAT * Math.max(batchTokens, length);
  // Of each token and layer, in floats: what the gradients of the norms, attention and MLP need.
  const attention = 12 * d + heads * length, mlp = 4 * f;
  const kept = recompute === "layer" ? d : recompute === "mlp" ? attention : attention + mlp;
  const again = recompute === "nothing" ? 0 : attention + mlp;
  const activations = tokens * (layers * kept + again);
  // Gradients come as activations go, and clipped ones beside the unclipped: the larger counts.
  const backward = activations + FLOAT * 2 * Math.min(largest, own / FLOAT);
  const passing = Math.max(0, FRAGMENTS * Math.max(backward, 2 * own) - activations - own);
  return sum({
    weights: FLOAT * all,
    moments: 2 * own,
    gradients: own * (summed ? 2 : 1),
    activations,
    passing,
  });
}

/** On a graphics card the weights lie in its memory, which TensorFlow asks for and tells about itself. */
function onCard(): boolean {
  const backend = tf.backend() as { isUsingGpuDevice?: boolean };
  return tf.getBackend() === "webgpu" || backend.isUsingGpuDevice === true;
}

/** WebAssembly addresses 4 GiB. */
const WASM_HEAP = 2 ** 32;

/**
 * Holds an estimate against what is free.
 * @param options action: e.g. `load smollm2`; mend: what to do; has: what is in memory already
 * @throws where there is too little (see `requireMemory`), with the estimate
 */
export function checkMemory(
  estimate: MemoryEstimate,
  { action, mend, has, ...options }: {
    action: string;
    mend: string;
    /** Parts of the estimate that are there already. Default: the process. */
    has?: readonly (keyof Omit<MemoryEstimate, "total">)[];
  } & Parameters<typeof requireMemory>[1],
): void {
  if (onCard()) return;
  const { total: _, ...parts } = estimate;
  const needed = Object.entries(parts)
    .filter(([name, bytes]) => bytes > 0 && !(has ?? ["process"]).some((one) => one === name))
    .sort(([, a], [, b]) => b - a);
  const need = {
    action,
    mend,
    bytes: needed.reduce((sum, [, bytes]) => sum + bytes, 0),
    parts: needed.map(([name, bytes]) => `${name} ${formatBytes(bytes)}`).join(", "),
  };
  if (tf.getBackend() === "wasm") {
    const bytes = Math.max(0, WASM_HEAP - tf.memory().numBytes);
    requireMemory(need, {
      ...options,
      free: { bytes, by: "left for WebAssembly, which has 4 GiB" },
    });
  }
  requireMemory(need, options);
}
