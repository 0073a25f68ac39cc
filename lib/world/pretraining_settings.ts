/**
 * What an organism is made from and how it is trained: flat settings, one set for each size of
 * world. `small` is the recipe that was measured; the others scale it up.
 */
import * as v from "valibot";
import { above0, explain, numberFrom, share, wholeFrom } from "../platform/runtime/explain.ts";
import type { Size } from "./settings.ts";

const schema = v.strictObject({
  /** Hidden size. */
  width: wholeFrom(1),
  layers: wholeFrom(1),
  /** Attention heads, each with its own keys and values. */
  heads: wholeFrom(1),
  /** Width of the SwiGLU layer. */
  mlpWidth: wholeFrom(1),
  ropeTheta: above0,
  normEpsilon: above0,
  /** Tokens of the corpus that training sees; `batch` x `window` of them a step. */
  tokens: wholeFrom(1),
  batch: wholeFrom(1),
  window: wholeFrom(2),
  learningRate: above0,
  /** Share of the steps for the warm-up. */
  warmupShare: share,
  /** Share of the steps after which the rate falls. */
  decayFrom: share,
  /** What is left of the rate at the end. */
  finalRate: share,
  beta1: share,
  beta2: share,
  epsilon: above0,
  /** On matrices and the embedding, not on norms and biases. */
  weightDecay: numberFrom(0),
  clipNorm: above0,
  /** Loss weight of an answer's token; other tokens have 1. */
  answerWeight: numberFrom(0),
});

/** A Qwen2-shaped model and its pretraining. */
export type PretrainingSettings = v.InferOutput<typeof schema>;

/** A tensor's numbers, row-major; a weight is [out, in]. */
export interface ParameterData {
  shape: number[];
  data: Float32Array;
}

const smallModel: PretrainingSettings = {
  width: 64,
  layers: 4,
  heads: 2,
  mlpWidth: 192,
  ropeTheta: 10_000,
  normEpsilon: 1e-5,
  tokens: 4_096_000, // 2,000 steps
  batch: 16,
  window: 128,
  learningRate: 3e-3,
  warmupShare: 0.05,
  decayFrom: 0.7,
  finalRate: 0.02,
  beta1: 0.9,
  beta2: 0.98,
  epsilon: 1e-9,
  weightDecay: 0.05,
  clipNorm: 1,
  answerWeight: 5,
};

/** The models of the named sizes: about 0.27, 1.0 and 3.0 million parameters. */
export const pretrainingSizes: Readonly<Record<Size, Readonly<PretrainingSettings>>> = {
  small: smallModel,
  medium: {
    ...smallModel,
    width: 128,
    heads: 4,
    mlpWidth: 384,
    tokens: 12_288_000, // 4,000 steps: 2,500 left known facts at .82 in the gate (world 201)
    batch: 24,
    learningRate: 2e-3,
  },
  large: {
    ...smallModel,
    width: 192,
    layers: 6,
    heads: 6,
    mlpWidth: 512,
    tokens: 14_336_000, // 3,500 steps
    batch: 32,
    learningRate: 1.5e-3,
  },
};

/**
 * Does nothing where a model can be made and trained from the settings.
 * @throws with every number that can't work, and what would.
 */
export function checkPretrainingSettings(settings: PretrainingSettings): void {
  const s = settings, wrong = explain(schema, s);
  if (wrong.length === 0) {
    if (s.width % (2 * s.heads) !== 0) {
      wrong.push(
        `width ${s.width}: expected a multiple of ${2 * s.heads}, so that each of the ${s.heads} ` +
          `heads has an even size`,
      );
    }
    if (s.tokens < s.batch * s.window) {
      wrong.push(
        `tokens ${s.tokens}: expected at least one step of ${s.batch} x ${s.window} = ` +
          `${s.batch * s.window}`,
      );
    }
    if (s.warmupShare > s.decayFrom) {
      wrong.push(`warmupShare ${s.warmupShare}: expected at most decayFrom ${s.decayFrom}`);
    }
  }
  if (wrong.length > 0) {
    throw new Error(`Cannot pretrain: ${wrong.join("; ")}; change these settings`);
  }
}
