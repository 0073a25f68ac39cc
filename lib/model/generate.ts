/** Generation token by token with a KV cache of fixed size, so that one graph serves all steps. */
import * as tf from "@tensorflow/tfjs";
import { look } from "../platform/interrupt.ts";
import { NotFiniteError } from "../statistics/not_finite.ts";
import { Random } from "../statistics/random.ts";
import { headWeight } from "./architecture.ts";
import { checkRows, padRows, roundSize } from "./batch.ts";
import type { GenerateOptions, ReadableConfiguration, TensorModel } from "./readable_model.ts";
import { gatherRows, prefixKeys } from "./layers.ts";
import { HIDDEN_FROM } from "./positions.ts";

/** @throws if ids are not of the vocabulary, or prompt and new tokens exceed the positions */
export function checkPrompt(
  { vocabularySize, maxPositions, slidingWindow = Infinity }: ReadableConfiguration,
  ids: readonly number[],
  maxNewTokens: number,
): void {
  checkRows([[...ids]], vocabularySize);
  const most = Math.min(maxPositions, slidingWindow);
  if (ids.length + maxNewTokens <= most) return;
  throw new Error(
    `Cannot generate: expected prompt and new tokens to be at most ${most}; found ` +
      `${ids.length} + ${maxNewTokens}; shorten the prompt or lower maxNewTokens`,
  );
}

/**
 * The tokens that the model writes after `ids`, end tokens too: the caller stops.
 * @throws if prompt and new tokens are more than the model has positions for
 */
export async function* generateTokens(
  model: TensorModel,
  ids: readonly number[],
  { maxNewTokens = 64, temperature = 0, topP = 1, seed = 0, signal }: GenerateOptions = {},
): AsyncGenerator<number> {
  checkPrompt(model.config, ids, maxNewTokens);
  const random = new Random(seed).fork("sampling");
  const cache = new Cache(model, ids, ids.length + maxNewTokens);
  try {
    for (let n = 0; n < maxNewTokens; n++) {
      await look(signal);
      const next = temperature === 0
        ? (await cache.likeliest.data())[0]
        : sample(await cache.logits.data() as Float32Array, { temperature, topP, random });
      yield next;
      if (n + 1 < maxNewTokens) cache.read(next);
    }
  } finally {
    cache.dispose();
  }
}

/** Tokens whose keys and values stay in a small block before they are merged into the large one. */
const RECENT = 16;

/** The KV cache [2 L, K, C, D], keys and values by turns; a token copies the small block only. */
class Cache {
  /** [1, V], after the latest token. */
  logits: tf.Tensor;
  /** The highest of them, [1]. */
  likeliest: tf.Tensor;
  #block: tf.Tensor;
  #recent: tf.Tensor;
  /** Tokens in the large block, and in the small one. */
  #filled: number;
  #apart = 0;

  /** Reads a prompt. @param most the cache's capacity in tokens */
  constructor(readonly model: TensorModel, ids: readonly number[], most: number) {
    const { layers, keyValueHeads, headDimension } = model.config;
    const row = padRows([[...ids]], { length: roundSize(ids.length) });
    const last = tf.tensor1d([ids.length - 1], "int32");
    [this.logits, this.likeliest, this.#block] = readPrompt(model, roundSize(most))(row, last);
    tf.dispose([row, last]);
    this.#recent = tf.zeros([2 * layers, keyValueHeads, RECENT, headDimension]);
    this.#filled = ids.length;
  }

  read(token: number): void {
    if (this.#apart === RECENT) this.#join();
    const inputs = [
      tf.tensor2d([token], [1, 1], "int32"),
      tf.scalar(this.#filled, "int32"),
      tf.scalar(this.#apart, "int32"),
    ];
    const former = [this.logits, this.likeliest, this.#recent];
    [this.logits, this.likeliest, this.#recent] = readToken(this.model)(
      ...inputs,
      this.#block,
      this.#recent,
    );
    tf.dispose([...inputs, ...former]);
    this.#apart++;
  }

  #join(): void {
    const filled = tf.scalar(this.#filled, "int32");
    const former = this.#block;
    [this.#block] = joinRecent(this.model)(filled, former, this.#recent);
    tf.dispose([filled, former]);
    this.#filled += this.#apart;
    this.#apart = 0;
  }

  dispose(): void {
    tf.dispose([this.logits, this.likeliest, this.#block, this.#recent]);
  }
}

/** Logits [1, V] behind hidden states [1, D], and the highest of them. */
function predict(model: TensorModel, hidden: tf.Tensor2D): [tf.Tensor, tf.Tensor] {
  const logits = tf.matMul(hidden, headWeight(model.parameters, model.config), false, true);
  return [logits, tf.argMax(logits, -1)];
}

/** Collects the keys and values [1, K, T, D] of each layer into one tensor [2 L, K, T, D]. */
function collector() {
  const collected: tf.Tensor[] = [];
  return {
    onKeyValues: (...both: tf.Tensor[]) => void collected.push(...both),
    all: () => tf.concat(collected, 0),
  };
}

/** ids [1, T], the last token's place [1] -> logits, the likeliest token, the block. */
function readPrompt(model: TensorModel, capacity: number) {
  return model.compiled(`read prompt/${capacity}`, (ids, last) => {
    const { onKeyValues, all } = collector();
    const hidden = model.forward(ids as tf.Tensor2D, { onKeyValues });
    const block = tf.pad(all(), [[0, 0], [0, 0], [0, capacity - ids.shape[1]!], [0, 0]]);
    return [...predict(model, gatherRows(hidden, last as tf.Tensor1D)), block];
  });
}

/** token [1, 1], tokens in the block and apart, the block, the latest -> logits, likeliest, the latest. */
function readToken(model: TensorModel) {
  return model.compiled("read token", (token, filled, apart, ...blocks) => {
    const [all, latest] = blocks;
    const prefix = [[all, filled], [latest, apart]].map(([block, taken]) => {
      const places = tf.range(0, block.shape[2]!, 1, "int32");
      const isFree = tf.cast(tf.greaterEqual(places, taken), "float32");
      const mask = tf.mul(isFree, HIDDEN_FROM) as tf.Tensor1D;
      return { layers: prefixKeys(tf.unstack(block)), mask };
    });
    const { onKeyValues, all: added } = collector();
    const position = tf.add(filled, apart) as tf.Scalar;
    const hidden = model.forward(token as tf.Tensor2D, { prefix, position, onKeyValues });
    const here = tf.reshape(
      tf.cast(tf.equal(tf.range(0, RECENT, 1, "int32"), apart), "float32"),
      [1, 1, RECENT, 1],
    );
    const others = tf.mul(latest, tf.sub(1, here));
    return [...predict(model, hidden), tf.add(others, tf.mul(added(), here))];
  });
}

/** tokens in the block, the block, as many of the latest as there is room for -> the block with them. */
function joinRecent(model: TensorModel) {
  return model.compiled("join recent", (filled, block, latest) => {
    const capacity = block.shape[2]!;
    const from = tf.sub(tf.range(0, capacity, 1, "int32"), filled);
    const inside = tf.logicalAnd(tf.greaterEqual(from, 0), tf.less(from, RECENT));
    // Not clipByValue: in WebAssembly it takes int32 for float32.
    const source = tf.minimum(tf.maximum(from, 0), RECENT - 1);
    const moved = tf.gather(latest, tf.cast(source, "int32") as tf.Tensor1D, 2);
    return [tf.where(tf.reshape(inside, [1, 1, capacity, 1]), moved, block)];
  });
}

/** One token: the likeliest, or drawn (temperature, then nucleus). @throws where logits are not finite */
export function sample(
  logits: Float32Array,
  { temperature, topP, random }: { temperature: number; topP: number; random: Random },
): number {
  const highest = logits.reduce((a, b) => Math.max(a, b));
  if (!Number.isFinite(highest)) {
    throw new NotFiniteError(
      `Cannot generate: expected finite logits; found ${highest}; load the model in another precision`,
    );
  }
  if (temperature === 0) return logits.indexOf(highest);
  // Numbers alone are sorted by the engine itself; the token is the one that has the number drawn.
  const sorted = logits.slice().sort().reverse();
  const weights = Float64Array.from(sorted, (one) => Math.exp((one - highest) / temperature));
  const total = weights.reduce((a, b) => a + b, 0);
  let nucleus = 0, mass = 0;
  while (nucleus < weights.length && (nucleus === 0 || mass < topP * total)) {
    mass += weights[nucleus++];
  }
  let place = 0, draw = random.next() * mass - weights[0];
  while (draw >= 0 && place + 1 < nucleus) draw -= weights[++place];
  // Of equal ones the first comes first.
  let token = logits.indexOf(sorted[place]);
  for (let i = sorted.indexOf(sorted[place]); i < place; i++) {
    token = logits.indexOf(sorted[place], token + 1);
  }
  return token;
}
