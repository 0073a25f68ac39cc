/**
 * How much memory a model takes, estimated from its configuration before the weights are read, so
 * that the user gets a message rather than an out-of-memory kill.
 *
 * Estimates are of float32. Compiled, they were compared with peaks of the process (SmolLM2-135M, 2
 * cores): loading 1.4 GB estimated, 1.1 to 1.3 measured; a full step of 4 x 128 tokens 3.6 and 3.65 to
 * 4.05; 2 x 512 5.1 and 5.0; reading 64 x 128 tokens 1.7 and 1.4. So count on 15%, a fifth for reading.
 * Uncompiled, every operation's result stays until the step ends (reading: until its layer ends): factors
 * are fitted to peaks of TensorFlow.js on WebAssembly (widths 64 to 576, 1 to 32 layers), within a fifth.
 */
import * as tf from "@tensorflow/tfjs";
import { usesCard } from "../platform/compile/backend.ts";
import { formatBytes, requireMemory } from "../platform/runtime/memory.ts";
import { type GradientCheckpointing, parameterShapes } from "./architecture.ts";
import { adapterShapes, type LoraOptions, loraOptions } from "./adapter.ts";
import { LOGITS_AT_ONCE, TEXTS_A_ROW } from "./batch.ts";
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

type MemoryParts = Omit<MemoryEstimate, "total">;

export interface MemoryUse {
  /** Most tokens at once, padding counted. */
  batchTokens: number;
  /** The longest row, in tokens. */
  length: number;
  /** Whether steps are compiled, as on the native backend. Default: true. */
  compiled?: boolean;
}

export interface TrainingUse extends MemoryUse {
  /** Default: nothing. */
  gradientCheckpointing?: GradientCheckpointing;
  /** The adapter that is trained. Default: none, but all weights. */
  lora?: LoraOptions;
  /** The batch's tokens: the gradients of several parts are summed. Default: those of one part. */
  tokens?: number;
}

const FLOAT = 4;
const PROCESS = 0.6e9;

/** Floats of a token in a layer, as multiples of sizes: the width, keys' width, the MLP's, heads x length. */
type Multiples = readonly [width: number, keys: number, mlp: number, scores: number];

/**
 * What a layer holds of each token: at once in reading; for the gradient in training, and of that its input
 * alone where it is computed again. Compiled, by what a graph must keep; uncompiled, fitted.
 */
const HELD = {
  compiled: {
    reading: [8, 0, 3, 3],
    training: [12, 0, 4, 1],
    input: [1, 0, 0, 0],
  },
  uncompiled: {
    reading: [16, 9, 5, 4.3],
    training: [53, 19, 11, 10],
    input: [10, 0, 0, 0],
  },
} satisfies Record<string, Record<string, Multiples>>;

/** What adapters hold besides, uncompiled. */
const ADAPTERS: Multiples = [18, 12, 12, 0];

/** Bytes of `tokens` by such multiples. */
const tokenBytes = (
  { hiddenSize, keyValueHeads, headDimension, intermediateSize, heads }: ModelConfiguration,
  { tokens, length }: { tokens: number; length: number },
) =>
([width, keys, mlp, scores]: Multiples): number =>
  FLOAT * tokens * (width * hiddenSize + keys * keyValueHeads * headDimension +
    mlp * intermediateSize + scores * heads * length);

/** Backward passes hold pieces besides those that are counted. */
const FRAGMENTS = 1.2;

const sizeOf = (shape: number[]) => shape.reduce((a, b) => a * b, 1);

/** Bytes of all weights, and of the largest tensor. */
function weightBytes(configuration: ModelConfiguration): { all: number; largest: number } {
  const sizes = parameterShapes(configuration).map(([, shape]) => FLOAT * sizeOf(shape));
  return { all: sizes.reduce((a, b) => a + b, 0), largest: Math.max(...sizes) };
}

function sum(parts: Partial<MemoryParts> & Pick<MemoryParts, "weights">): MemoryEstimate {
  const all = { process: PROCESS, gradients: 0, moments: 0, activations: 0, passing: 0, ...parts };
  return { ...all, total: Object.values(all).reduce((a, b) => a + b, 0) };
}

/** While a model is read: its weights, and the largest tensor as it lies in the file and as float32. */
export function loadingMemory(configuration: ModelConfiguration): MemoryEstimate {
  const { all, largest } = weightBytes(configuration);
  return sum({ weights: all, passing: 2 * largest });
}

/** While it is probed: one layer's activations, uncompiled every layer's output, a block of logits. */
export function probingMemory(
  configuration: ModelConfiguration,
  { batchTokens, length, compiled = true }: MemoryUse,
): MemoryEstimate {
  const { hiddenSize, layers, vocabularySize } = configuration;
  const tokens = Math.max(batchTokens, length);
  const row = compiled ? length : Math.min(TEXTS_A_ROW * length, tokens);
  const bytes = tokenBytes(configuration, { tokens, length: row });
  const layer = bytes(HELD[compiled ? "compiled" : "uncompiled"].reading);
  const outputs = compiled ? 0 : FLOAT * tokens * layers * hiddenSize;
  const logits = Math.min(tokens, Math.ceil(LOGITS_AT_ONCE / vocabularySize));
  return sum({
    weights: weightBytes(configuration).all,
    activations: layer + outputs,
    passing: FLOAT * 2 * logits * vocabularySize,
  });
}

/** While it is trained by AdamW. */
export function trainingMemory(
  configuration: ModelConfiguration,
  { batchTokens, length, gradientCheckpointing = "nothing", lora, ...use }: TrainingUse,
): MemoryEstimate {
  const { compiled = true, tokens: all = batchTokens } = use;
  const { all: weights, largest } = weightBytes(configuration);
  const adapter = lora && [...adapterShapes(configuration, loraOptions(lora)).values()];
  const trainedBytes = adapter?.reduce((sum, shape) => sum + FLOAT * sizeOf(shape), 0) ?? weights;
  const tokens = Math.max(length, Math.min(batchTokens, all));
  const bytes = tokenBytes(configuration, { tokens, length });
  const held = HELD[compiled ? "compiled" : "uncompiled"];
  const layer = bytes(held.training) + (lora && !compiled ? bytes(ADAPTERS) : 0);
  const activations = gradientCheckpointing === "layer"
    ? configuration.layers * bytes(held.input) + layer
    : configuration.layers * layer;
  // Gradients come as activations go, and clipped ones next to the unclipped: the larger counts.
  const backward = activations +
    (compiled ? 2 * Math.min(largest, trainedBytes) : trainedBytes + 8 * largest);
  const update = compiled
    ? 2 * trainedBytes
    : 3 * trainedBytes + 12 * Math.min(largest, trainedBytes);
  const peak = (compiled ? FRAGMENTS : 1) * Math.max(backward, update);
  return sum({
    weights,
    moments: 2 * trainedBytes,
    gradients: trainedBytes * (all > batchTokens ? 2 : 1),
    activations,
    passing: Math.max(0, peak - activations - trainedBytes),
  });
}

/** WebAssembly addresses 4 GiB. */
const WASM_HEAP = 2 ** 32;

/** Parts of an estimate that are there already. */
export type Has = readonly (keyof MemoryParts)[];

/** What an estimate asks for beyond what is there: bytes, and in words for what, largest first. */
export function neededMemory(
  { total: _, ...parts }: MemoryEstimate,
  has: Has = ["process"],
): { bytes: number; parts: string } {
  const needed = Object.entries(parts)
    .filter(([name, bytes]) => bytes > 0 && !has.some((one) => one === name))
    .sort(([, a], [, b]) => b - a);
  return {
    bytes: needed.reduce((sum, [, bytes]) => sum + bytes, 0),
    parts: needed.map(([name, bytes]) => `${name} ${formatBytes(bytes)}`).join(", "),
  };
}

/**
 * Compares an estimate with what is free: this machine's memory, or what is left of WebAssembly's 4 GiB.
 * A card's free memory is not known: by CUDA or WebGPU, the call that had no room fails.
 * @throws if there is too little (see `requireMemory`), with the estimate
 */
export function checkMemory(
  estimate: MemoryEstimate,
  { action, mend, has, ...options }:
    & { action: string; mend: string; has?: Has }
    & Parameters<typeof requireMemory>[1],
): void {
  if (usesCard()) return;
  const need = { action, mend, ...neededMemory(estimate, has) };
  if (tf.getBackend() === "wasm") {
    const bytes = Math.max(0, WASM_HEAP - tf.memory().numBytes);
    requireMemory({ ...need, mend: `install native TensorFlow (\`deno task doctor\`), ${mend}` }, {
      ...options,
      free: { bytes, by: "left for WebAssembly, which has 4 GiB" },
    });
  }
  requireMemory(need, options);
}
