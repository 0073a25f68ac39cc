/**
 * What an organism is made from and how it is trained: flat settings, one set for each size of
 * world. `small` is the recipe that was measured; the others scale it up.
 */
import * as v from "valibot";
import sizes from "../../data/world/sizes.json" with { type: "json" };
import {
  above0,
  checkSettings,
  numberFrom,
  share,
  wholeFrom,
} from "../platform/runtime/explain.ts";
import type { Size } from "./settings.ts";

const schema = v.strictObject({
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

const { small, medium, large } = sizes.pretraining;

/**
 * The models of the named sizes: about 0.27, 1.0 and 3.0 million parameters, trained for 2,000, 4,000 and
 * 3,500 steps. (After 2,500, known facts of a medium one were at .82 in the gate.)
 */
export const pretrainingSizes: Readonly<Record<Size, Readonly<PretrainingSettings>>> = {
  small,
  medium: { ...small, ...medium },
  large: { ...small, ...large },
};

/** @throws where no model can be trained, with every number that can't work, and what would */
export function checkPretrainingSettings(s: PretrainingSettings): void {
  const step = s.batch * s.window;
  checkSettings("pretrain", schema, s, () => [
    s.width % (2 * s.heads) !== 0 &&
    `width ${s.width}: expected a multiple of ${2 * s.heads}, so that each of the ${s.heads} ` +
      `heads has an even size`,
    s.tokens < step &&
    `tokens ${s.tokens}: expected at least one step of ${s.batch} x ${s.window} = ${step}`,
    s.warmupShare > s.decayFrom &&
    `warmupShare ${s.warmupShare}: expected at most decayFrom ${s.decayFrom}`,
  ]);
}
