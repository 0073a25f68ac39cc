/**
 * The layers of a Llama-family decoder. Each has its gradient written out: fewer operations than the tape
 * would record, and none that a backend lacks. All are traceable: shapes are fixed, no value is read.
 */
import * as tf from "@tensorflow/tfjs";
import { waitFor } from "../platform/compile/adam.ts";

interface Differentiable<T extends tf.Tensor> {
  value: T;
  gradFunc: (dy: T, saved: tf.Tensor[]) => tf.Tensor[];
}

/** A function of several tensors with its gradient written out; tfjs types those of one input only. */
function withGradient<T extends tf.Tensor>(
  inputs: tf.Tensor[],
  compute: (save: (tensors: tf.Tensor[]) => void) => Differentiable<T>,
): T {
  const run = (...all: unknown[]) => compute(all.pop() as (tensors: tf.Tensor[]) => void);
  return tf.customGrad(run as unknown as Parameters<typeof tf.customGrad>[0])(...inputs) as T;
}

/** Root-mean-square norm over the last axis: x [N, D], weight [D] -> [N, D] (Zhang & Sennrich 2019). */
export function rmsNorm(x: tf.Tensor2D, weight: tf.Tensor1D, epsilon: number): tf.Tensor2D {
  return withGradient<tf.Tensor2D>([x, weight], (save) => {
    const scale = tf.rsqrt(tf.add(tf.mean(tf.square(x), -1, true), epsilon)); // (N, 1)
    const normed = tf.mul(x, scale); // (N, D)
    save([normed, scale, weight]);
    return {
      value: tf.mul(normed, weight),
      gradFunc: (dy, [normed, scale, weight]) => {
        const dNormed = tf.mul(dy, weight);
        const along = tf.mean(tf.mul(dNormed, normed), -1, true);
        return [
          tf.mul(tf.sub(dNormed, tf.mul(normed, along)), scale),
          tf.sum(tf.mul(dy, normed), 0),
        ];
      },
    };
  });
}

/** SwiGLU's product silu(gate) * up, elementwise (Shazeer 2020). */
export function swiGlu(gate: tf.Tensor2D, up: tf.Tensor2D): tf.Tensor2D {
  return withGradient<tf.Tensor2D>([gate, up], (save) => {
    save([gate, up]);
    return {
      value: tf.mul(tf.mul(gate, tf.sigmoid(gate)), up),
      gradFunc: (dy, [gate, up]) => gatedGradients(waitFor(gate, dy) as tf.Tensor2D, up, dy).inputs,
    };
  });
}

/**
 * swiGlu(gate, up) weightᵀ: gate and up [N, F], weight [D, F] -> [N, D]. It keeps gate and up alone: the
 * product's input and what it was made of are computed again for the gradient.
 */
export function swiGluProduct(
  gate: tf.Tensor2D,
  up: tf.Tensor2D,
  weight: tf.Tensor2D,
): tf.Tensor2D {
  return withGradient<tf.Tensor2D>([gate, up, weight], (save) => {
    save([gate, up, weight]);
    const gated = tf.mul(tf.mul(gate, tf.sigmoid(gate)), up);
    return {
      value: tf.matMul(gated, weight, false, true),
      gradFunc: (dy, [gate, up, weight]) => {
        const dGated: tf.Tensor2D = tf.matMul(dy, weight as tf.Tensor2D);
        const { gated, inputs } = gatedGradients(waitFor(gate, dy) as tf.Tensor2D, up, dGated);
        return [...inputs, tf.matMul(dy, gated, true, false)];
      },
    };
  });
}

/** SwiGLU again, and the gradients of its inputs. */
function gatedGradients(gate: tf.Tensor2D, up: tf.Tensor, dy: tf.Tensor2D) {
  const sigmoid = tf.sigmoid(gate);
  const silu = tf.mul(gate, sigmoid);
  const gated: tf.Tensor2D = tf.mul(silu, up);
  // d silu = sigmoid + silu * (1 - sigmoid)
  const slope = tf.add(sigmoid, tf.mul(silu, tf.sub(1, sigmoid)));
  return { gated, inputs: [tf.mul(tf.mul(dy, up), slope), tf.mul(dy, silu)] };
}

/** A low-rank layer's x Aᵀ Bᵀ: x [N, D], a [r, D], b [O, r] -> [N, O] (Hu et al. 2021, section 4.1). */
export function lowRank(x: tf.Tensor2D, [a, b]: [tf.Tensor2D, tf.Tensor2D]) {
  return tf.matMul(tf.matMul(x, a, false, true), b, false, true);
}

/** Rows of a table by index: table [V, D], ids [N] -> [N, D]. */
export function gatherRows(table: tf.Tensor2D, ids: tf.Tensor1D): tf.Tensor2D {
  return withGradient<tf.Tensor2D>([table, ids], (save) => {
    save([ids]);
    return {
      value: tf.gather(table, ids),
      gradFunc: (dy, [ids]) => [
        tf.unsortedSegmentSum(dy, ids as tf.Tensor1D, table.shape[0]),
        tf.zerosLike(ids),
      ],
    };
  });
}

/** [.., 2h] with its halves exchanged. */
function swapHalves(x: tf.Tensor): tf.Tensor {
  const [first, second] = tf.split(x, 2, -1);
  return tf.concat([second, first], -1);
}

/**
 * Rotary positions over the whole head, the halves paired (Su et al. 2021, as in transformers). x
 * [.., T, D], cos and sin [T, D] or [B, 1, T, D]; `sin` is negated on the first half.
 */
export function applyRotary<T extends tf.Tensor>(x: T, cos: tf.Tensor, sin: tf.Tensor): T {
  const turn = (x: tf.Tensor, cos: tf.Tensor, sin: tf.Tensor): T =>
    tf.add(tf.mul(x, cos), tf.mul(swapHalves(x), sin));
  return withGradient<T>([x], (save) => {
    save([cos, sin]);
    return {
      value: turn(x, cos, sin),
      // A rotation's transpose is the rotation back.
      gradFunc: (dy, [cos, sin]) => [turn(dy, cos, tf.neg(sin))],
    };
  });
}

/**
 * Causal attention with grouped queries: q [B, H, T, D] (scaled already), k and v [B, K, S, D],
 * mask [T, S] or [B, 1, T, S] (0 or a large negative) -> [B, H, T, D].
 */
export function attend(q: tf.Tensor4D, k: tf.Tensor4D, v: tf.Tensor4D, mask: tf.Tensor) {
  const [batch, heads, length, width] = q.shape;
  const [, keyHeads, places] = k.shape;
  const queries = heads / keyHeads * length;
  const grouped = tf.reshape(q, [batch * keyHeads, queries, width]); // (B K, H/K T, D)
  const keys = tf.reshape(k, [batch * keyHeads, places, width]);
  const values = tf.reshape(v, [batch * keyHeads, places, width]);
  const products = tf.matMul(grouped, keys, false, true);
  const scores = tf.reshape(products, [batch, heads, length, places]);
  const weights = maskedSoftmax(scores as tf.Tensor4D, mask);
  const mixed = tf.matMul(tf.reshape(weights, [batch * keyHeads, queries, places]), values);
  return tf.reshape(mixed, [batch, heads, length, width]);
}

/** Keys and values [K, P, D] of tokens that stand before every row. */
export type PrefixKeys = { keys: tf.Tensor3D; values: tf.Tensor3D };

/** Of layers whose keys and values come by turns. */
export const prefixKeys = (tensors: tf.Tensor[]): PrefixKeys[] =>
  Array.from({ length: tensors.length / 2 }, (_, layer) => ({
    keys: tensors[2 * layer] as tf.Tensor3D,
    values: tensors[2 * layer + 1] as tf.Tensor3D,
  }));

/** x [B, K, R, C] times y [1, K, ...] or [B, K, ...], transposed if asked. */
function timesShared(x: tf.Tensor4D, y: tf.Tensor, transposed = false): tf.Tensor {
  const [batch, heads, rows, columns] = x.shape;
  // With one head TensorFlow 2.21 crashes on [B, 1, ...] x [1, 1, ...]: the batch are rows then.
  if (y.shape[0] === batch || heads > 1) return tf.matMul(x, y, false, transposed);
  const flat = tf.reshape(x, [1, 1, batch * rows, columns]);
  return tf.reshape(tf.matMul(flat, y, false, transposed), [batch, 1, rows, -1]);
}

/**
 * Causal attention behind blocks of P keys in all that rows share, never copied per row: q [B, H, T, D]
 * (scaled), k and v [B, K, T, D], mask [T, P + T] or [B, 1, T, P + T] -> [B, H, T, D]. For inference.
 */
export function attendWithPrefix(
  blocks: readonly PrefixKeys[],
  [q, k, v]: [tf.Tensor4D, tf.Tensor4D, tf.Tensor4D],
  mask: tf.Tensor,
): tf.Tensor4D {
  const [batch, heads, length, width] = q.shape;
  const keyHeads = k.shape[1];
  const rows = heads / keyHeads * length;
  const grouped = tf.reshape(q, [batch, keyHeads, rows, width]) as tf.Tensor4D; // (B, K, H/K T, D)
  const shared = (x: tf.Tensor3D): tf.Tensor => tf.reshape(x, [1, ...x.shape]);
  const keys = [...blocks.map(({ keys }) => shared(keys)), k];
  const values = [...blocks.map(({ values }) => shared(values)), v];
  const scores = tf.concat(keys.map((keys) => timesShared(grouped, keys, true)), -1);
  const places = scores.shape[3]!;
  const masked = tf.add(tf.reshape(scores, [batch, heads, length, places]), mask);
  const weights = tf.split(
    tf.reshape(tf.softmax(masked), [batch, keyHeads, rows, places]),
    keys.map(({ shape }) => shape[2]!),
    -1,
  );
  const mixed = weights.map((weights, i) => timesShared(weights as tf.Tensor4D, values[i]));
  return tf.reshape(mixed.reduce((a, b) => tf.add(a, b)), [batch, heads, length, width]);
}

/** softmax(scores + mask) over the last axis: scores [B, H, T, T], mask [T, T] or [B, 1, T, T]. */
function maskedSoftmax(scores: tf.Tensor4D, mask: tf.Tensor): tf.Tensor4D {
  return withGradient<tf.Tensor4D>([scores], (save) => {
    const weights = tf.softmax(tf.add(scores, mask)) as tf.Tensor4D;
    save([weights]);
    return {
      value: weights,
      gradFunc: (dy, [weights]) => {
        const weighted = tf.mul(dy, weights);
        return [tf.sub(weighted, tf.mul(weights, tf.sum(weighted, -1, true)))];
      },
    };
  });
}

/**
 * Weighted cross-entropy of the head's predictions, in nats: hidden [N, D], head [V, D], labels [N],
 * weights [N] (they sum to 1 for a mean) -> scalar. The gradient is softmax minus the label, whose part
 * is taken as rows of the head and of the hidden states, so that no one-hot of [N, V] is made.
 */
export function lmHeadCrossEntropy(
  hidden: tf.Tensor2D,
  head: tf.Tensor2D,
  labels: tf.Tensor1D,
  weights: tf.Tensor1D,
): tf.Scalar {
  return withGradient<tf.Scalar>([hidden, head, labels, weights], (save) => {
    const logits = tf.matMul(hidden, head, false, true); // (N, V)
    const goldRows = tf.gather(head, labels); // (N, D)
    const gold = tf.sum(tf.mul(hidden, goldRows), -1); // (N)
    const highest = tf.max(logits, -1, true);
    const exponentials = tf.exp(tf.sub(logits, highest));
    const total = tf.sum(exponentials, -1, true); // (N, 1)
    const logTotal = tf.add(tf.log(total), highest).reshape([-1]);
    save([hidden, head, labels, weights, goldRows, exponentials, total]);
    return {
      value: tf.sum(tf.mul(tf.sub(logTotal, gold), weights)).asScalar(),
      gradFunc: (dy, [hidden, head, labels, weights, goldRows, exponentials, total]) => {
        const column = tf.reshape(tf.mul(weights, dy), [-1, 1]); // (N, 1)
        const dLogits = tf.mul(exponentials, tf.div(column, total)); // softmax x weight
        const labelRows = tf.mul(hidden, column); // (N, D)
        const byLabel = tf.unsortedSegmentSum(labelRows, labels as tf.Tensor1D, head.shape[0]);
        return [
          tf.sub(tf.matMul(dLogits, head), tf.mul(goldRows, column)),
          tf.sub(tf.matMul(dLogits, hidden, true, false), byLabel),
          tf.zerosLike(labels),
          tf.zerosLike(weights),
        ];
      },
    };
  });
}

/** f(x, ...weights), recomputed for its gradient: less memory, more time (Chen et al. 2016). */
export function checkpointed<T extends tf.Tensor>(
  f: (x: T, ...weights: tf.Tensor[]) => T,
  inputs: [T, ...tf.Tensor[]],
): T {
  return withGradient<T>(inputs, (save) => {
    save(inputs);
    return {
      value: f(...inputs),
      // Waiting keeps TensorFlow from computing them at once, or from finding them computed already.
      gradFunc: (dy, [x, ...weights]) =>
        innerGradients(f as (...inputs: tf.Tensor[]) => T, [waitFor(x, dy), ...weights], dy),
    };
  });
}

/** tf.grads inside a gradient: tfjs drops the outer tape there, so it is put aside. */
function innerGradients(
  f: (...inputs: tf.Tensor[]) => tf.Tensor,
  inputs: tf.Tensor[],
  dy: tf.Tensor,
): tf.Tensor[] {
  const { state } = tf.engine();
  const { activeTape, gradientDepth } = state;
  state.gradientDepth = 0;
  try {
    return tf.grads(f)(inputs, dy);
  } finally {
    Object.assign(state, { activeTape, gradientDepth });
  }
}
