/**
 * What an organism is made from and how it is trained: flat settings, one set for each size of
 * world. `small` is the recipe that was measured; the others scale it up.
 */
import { checkNumber, refuseUnknown } from "./_numbers.ts";
import type { Size } from "./settings.ts";

/** A Qwen2-shaped model and its pretraining. */
export interface PretrainingSettings {
  /** Hidden size. */
  width: number;
  layers: number;
  /** Attention heads, each with its own keys and values. */
  heads: number;
  /** Width of the SwiGLU layer. */
  mlpWidth: number;
  ropeTheta: number;
  normEpsilon: number;
  /** Tokens of the corpus that training sees; `batch` x `window` of them a step. */
  tokens: number;
  batch: number;
  window: number;
  learningRate: number;
  /** Share of the steps for the warm-up. */
  warmupShare: number;
  /** Share of the steps after which the rate falls. */
  decayFrom: number;
  /** What is left of the rate at the end. */
  finalRate: number;
  beta1: number;
  beta2: number;
  epsilon: number;
  /** On matrices and the embedding, not on norms and biases. */
  weightDecay: number;
  clipNorm: number;
  /** Loss weight of an answer's token; other tokens have 1. */
  answerWeight: number;
}

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
  const s = settings, wrong: string[] = [];
  refuseUnknown(s, smallModel, wrong);
  for (const name of ["width", "layers", "heads", "mlpWidth", "tokens", "batch"] as const) {
    checkNumber(wrong, name, s[name], { low: 1, high: Infinity, whole: true });
  }
  checkNumber(wrong, "window", s.window, { low: 2, high: Infinity, whole: true });
  for (const name of ["warmupShare", "decayFrom", "finalRate", "beta1", "beta2"] as const) {
    checkNumber(wrong, name, s[name], { low: 0, high: 1 });
  }
  for (const name of ["ropeTheta", "normEpsilon", "learningRate", "epsilon", "clipNorm"] as const) {
    checkNumber(wrong, name, s[name], { low: Number.MIN_VALUE, high: Infinity });
  }
  for (const name of ["weightDecay", "answerWeight"] as const) {
    checkNumber(wrong, name, s[name], { low: 0, high: Infinity });
  }
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
