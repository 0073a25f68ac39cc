/**
 * Text token by token, with the keys and values of what was read kept (a KV cache of fixed size, so that
 * one graph serves all steps).
 */
import * as tf from "@tensorflow/tfjs";
import { Random } from "../random.ts";
import { headWeight, HIDDEN_FROM } from "./architecture.ts";
import { checkRows, padRows, roundSize } from "./batch.ts";
import type { LanguageModel } from "./language_model.ts";
import { lookUp, type PrefixKeys } from "./layers.ts";

export interface GenerateOptions {
  /** Default 64. */
  maxNewTokens?: number;
  /** 0 takes the likeliest token. Default 0. */
  temperature?: number;
  /** The smallest set of tokens with this much probability is drawn from. Default 1. */
  topP?: number;
  /** Default 0. */
  seed?: number;
  /** Texts that end the answer; they are cut off. The model's end token always does. */
  stop?: string[];
}

/**
 * The tokens that the model writes after `ids`, one by one, an end token too: whoever asks stops.
 * @throws where prompt and new tokens are more than the model has positions for
 */
export async function* generateTokens(
  model: LanguageModel,
  ids: readonly number[],
  { maxNewTokens = 64, temperature = 0, topP = 1, seed = 0 }: GenerateOptions = {},
): AsyncGenerator<number> {
  checkRows([[...ids]], model.config.vocabularySize);
  const { maxPositions, slidingWindow = Infinity } = model.config;
  if (ids.length + maxNewTokens > Math.min(maxPositions, slidingWindow)) {
    throw new Error(
      `Cannot generate: expected prompt and new tokens to be at most ` +
        `${Math.min(maxPositions, slidingWindow)}; found ${ids.length} + ${maxNewTokens}; ` +
        "shorten the prompt or lower maxNewTokens",
    );
  }
  const random = new Random(seed).fork("sampling");
  const capacity = roundSize(ids.length + maxNewTokens);
  const row = padRows([[...ids]], { length: roundSize(ids.length) });
  const last = tf.tensor1d([ids.length - 1], "int32");
  let [logits, ...cache] = readPrompt(model, capacity)(row, last);
  tf.dispose([row, last]);
  try {
    for (let n = 0; n < maxNewTokens; n++) {
      const values = await logits.data() as Float32Array;
      const next = sample(values, { temperature, topP, random });
      yield next;
      if (n + 1 === maxNewTokens) return;
      const inputs = [
        tf.tensor2d([next], [1, 1], "int32"),
        tf.scalar(ids.length + n, "int32"),
      ];
      const [newLogits, ...newCache] = readToken(model, capacity)(...inputs, ...cache);
      tf.dispose([...inputs, logits, ...cache]);
      [logits, cache] = [newLogits, newCache];
    }
  } finally {
    tf.dispose([logits, ...cache]);
  }
}

/** ids [1, T], the last token's place [1] -> logits [1, V], then keys and values [K, C, D] by layer. */
function readPrompt(model: LanguageModel, capacity: number) {
  return model.compiled(`read prompt/${capacity}`, () => (ids, last) => {
    const cache: tf.Tensor[] = [];
    const free = capacity - ids.shape[1]!;
    const hidden = model.forward(ids as tf.Tensor2D, {
      onKeys: (...both) => {
        for (const x of both) {
          const [, heads, length, width] = x.shape;
          const kept = tf.reshape(x, [heads, length, width]);
          cache.push(free > 0 ? tf.concat([kept, tf.zeros([heads, free, width])], 1) : kept);
        }
      },
    });
    const row = lookUp(hidden, last as tf.Tensor1D);
    return [tf.matMul(row, headWeight(model.parameters, model.config), false, true), ...cache];
  });
}

/** token [1, 1], its position, the cache -> logits [1, V] and the cache with the token in it. */
function readToken(model: LanguageModel, capacity: number) {
  return model.compiled(`read token/${capacity}`, () => (token, position, ...cache) => {
    const places = tf.range(0, capacity, 1, "int32");
    const mask = tf.mul(tf.cast(tf.greaterEqual(places, position), "float32"), HIDDEN_FROM);
    const here = tf.reshape(tf.cast(tf.equal(places, position), "float32"), [1, capacity, 1]);
    const elsewhere = tf.sub(1, here);
    const prefix = Array.from({ length: cache.length / 2 }, (_, layer): PrefixKeys => ({
      keys: cache[2 * layer] as tf.Tensor3D,
      values: cache[2 * layer + 1] as tf.Tensor3D,
      mask: mask as tf.Tensor1D,
    }));
    const added: tf.Tensor[] = [];
    const hidden = model.forward(token as tf.Tensor2D, {
      prefix,
      position: position as tf.Scalar,
      onKeys: (...both) => {
        for (const x of both) {
          const [, heads, , width] = x.shape;
          const old = cache[added.length];
          const one = tf.mul(tf.reshape(x, [heads, 1, width]), here);
          added.push(tf.add(tf.mul(old, elsewhere), one));
        }
      },
    });
    return [tf.matMul(hidden, headWeight(model.parameters, model.config), false, true), ...added];
  });
}

/** One token of a distribution: the likeliest, or drawn (temperature, then nucleus). */
export function sample(
  logits: Float32Array,
  { temperature, topP, random }: { temperature: number; topP: number; random: Random },
): number {
  let best = 0;
  for (let i = 1; i < logits.length; i++) if (logits[i] > logits[best]) best = i;
  if (temperature === 0) return best;
  const order = [...logits.keys()].sort((a, b) => logits[b] - logits[a]);
  const weights = order.map((id) => Math.exp((logits[id] - logits[best]) / temperature));
  const total = weights.reduce((a, b) => a + b, 0);
  let kept = 0, mass = 0;
  while (kept < order.length && (kept === 0 || mass < topP * total)) mass += weights[kept++];
  let draw = random.next() * mass;
  for (let i = 0; i < kept; i++) {
    draw -= weights[i];
    if (draw < 0) return order[i];
  }
  return order[kept - 1];
}
