/** Positions in attention: the rotations of queries and keys, and the masks of what each sees. */
import * as tf from "@tensorflow/tfjs";
import { llama3Factors, type ModelConfiguration } from "./configuration.ts";
import type { PrefixKeys } from "./layers.ts";

/** Rows that hold several texts one after another; no text sees another. */
export interface PackedRows {
  /** [B, T] (int32): a number for the text that each token belongs to, equal within a text. */
  texts: tf.Tensor2D;
  /** [B, T] (int32): the token's position in its text, the prefix counted. */
  positions: tf.Tensor2D;
}

/** Some places before every row. */
export interface PrefixBlock {
  /** By layer, as `ForwardOptions.onKeyValues` was given them. */
  layers: readonly PrefixKeys[];
  /** [P]: 0 where a place is taken, a large negative where it is free. */
  mask: tf.Tensor1D;
}

/** A large negative that stays finite in float32 sums. */
export const HIDDEN_FROM = -1e9;

/** cos and sin [T, D] or [B, 1, T, D], and masks [T, P + T] or [B, 1, T, P + T] for P places before. */
export interface AttentionTables {
  /** Scaled by 1 / sqrt(D): the scores' scale costs nothing there. */
  queryRotation: [cos: tf.Tensor, sin: tf.Tensor];
  keyRotation: [cos: tf.Tensor, sin: tf.Tensor];
  causal: tf.Tensor;
  /** In layers with a sliding window that is shorter than the rows. */
  sliding?: tf.Tensor;
  /** Where rows share their start: of each row, flat places of what its tokens see [B (P + T)]. */
  seen?: tf.Tensor1D;
}

/** What B rows of T tokens need in every layer; `shared` as in `ForwardOptions`. */
export function attentionTables(
  configuration: ModelConfiguration,
  [batch, length]: [number, number],
  { prefix, position, packing, shared = 0 }: {
    prefix: readonly PrefixBlock[];
    position?: tf.Scalar;
    packing?: PackedRows;
    shared?: number;
  },
): AttentionTables {
  const before = prefix.reduce((sum, { mask }) => sum + mask.shape[0], 0);
  const rows = packing?.positions ??
    (position && tf.add(tf.range(0, length, 1, "int32"), position));
  const { cos, sin } = rows === undefined
    ? rotaryTables(configuration, length, before + shared)
    : rotaryRows(configuration, before + length, rows);
  // The first row's own positions are those of the others: what counts are their distances.
  const keys = shared === 0 ? { cos, sin } : rotaryTables(configuration, shared + length);
  const scale = 1 / Math.sqrt(configuration.headDimension);
  const { slidingWindow = Infinity, heads } = configuration;
  const maskOf = (window?: number) => {
    let mask: tf.Tensor = causalMask(length, window);
    if (packing !== undefined) mask = tf.add(mask, otherTexts(packing.texts));
    if (shared > 0) {
      // Over all heads, for TensorFlow's kernels are slow where a size of 1 between others is stretched.
      const own = tf.broadcastTo(mask, [batch, heads, length, length]);
      return tf.concat([notFirst([batch, heads, length, shared]), own], -1);
    }
    if (prefix.length === 0) return mask;
    const free = prefix.map(({ mask: free }) =>
      tf.broadcastTo(free, [...mask.shape.slice(0, -1), free.shape[0]])
    );
    return tf.concat([...free, mask], -1);
  };
  return {
    queryRotation: [tf.mul(cos, scale), tf.mul(sin, scale)],
    keyRotation: [keys.cos, keys.sin],
    causal: maskOf(),
    sliding: slidingWindow < length ? maskOf(slidingWindow) : undefined,
    seen: shared > 0 ? seenPlaces(shared, [batch, length]) : undefined,
  };
}

/** Flat places b T + t of what each row sees [B (P + T)] (int32): the first row's first P, then its own. */
function seenPlaces(shared: number, [batch, length]: [number, number]): tf.Tensor1D {
  const places = Array.from(
    { length: batch },
    (_, row) =>
      Array.from({ length: shared + length }, (_, t) => t < shared ? t : row * length + t - shared),
  );
  return tf.tensor1d(places.flat(), "int32");
}

/** [T, T]: 0 where a position may look, a large negative elsewhere. */
function causalMask(length: number, window = length): tf.Tensor2D {
  const mask = new Float32Array(length * length);
  for (let i = 0; i < length; i++) {
    for (let j = 0; j < length; j++) {
      if (j > i || i - j >= window) mask[i * length + j] = HIDDEN_FROM;
    }
  }
  return tf.tensor2d(mask, [length, length]);
}

/** Zeros of a shape, but a large negative in the first row. */
function notFirst([batch, ...rest]: number[]): tf.Tensor {
  const hidden = Float32Array.from({ length: batch }, (_, row) => row === 0 ? HIDDEN_FROM : 0);
  return tf.broadcastTo(tf.tensor(hidden, [batch, ...rest.map(() => 1)]), [batch, ...rest]);
}

/** [B, 1, T, T]: 0 where two tokens are of one text, a large negative elsewhere. */
function otherTexts(texts: tf.Tensor2D): tf.Tensor {
  const [batch, length] = texts.shape;
  const other = tf.notEqual(
    tf.reshape(texts, [batch, 1, length, 1]),
    tf.reshape(texts, [batch, 1, 1, length]),
  );
  return tf.mul(tf.cast(other, "float32"), HIDDEN_FROM);
}

/** cos and sin [T, D] of the angles of positions from `first` on; sin is negated on the first half (see `applyRotary`). */
function rotaryTables(configuration: ModelConfiguration, length: number, first = 0) {
  const { headDimension: d } = configuration;
  const frequencies = rotaryFrequencies(configuration);
  const cos = new Float32Array(length * d), sin = new Float32Array(length * d);
  for (let t = 0; t < length; t++) {
    for (let i = 0; i < d / 2; i++) {
      // float32 products, as in transformers
      const angle = Math.fround((first + t) * Math.fround(frequencies[i]));
      cos[t * d + i] = cos[t * d + d / 2 + i] = Math.cos(angle);
      sin[t * d + d / 2 + i] = Math.sin(angle);
      sin[t * d + i] = -sin[t * d + d / 2 + i];
    }
  }
  return { cos: tf.tensor2d(cos, [length, d]), sin: tf.tensor2d(sin, [length, d]) };
}

/** Rows of the tables of `length` positions: [T, D] for positions [T], [B, 1, T, D] for [B, T]. */
function rotaryRows(configuration: ModelConfiguration, length: number, positions: tf.Tensor) {
  const tables = rotaryTables(configuration, length);
  const [batch, rows] = positions.shape;
  const take = (table: tf.Tensor2D) => {
    const taken = tf.gather(table, tf.reshape(positions, [-1]));
    return rows === undefined ? taken : tf.reshape(taken, [batch, 1, rows, -1]);
  };
  return { cos: take(tables.cos), sin: take(tables.sin) };
}

/** Angle per position of each pair of a head, in radians (Llama 3's scaling where configured). */
function rotaryFrequencies(configuration: ModelConfiguration): number[] {
  const { headDimension: d, ropeTheta, ropeScaling } = configuration;
  const plain = Array.from({ length: d / 2 }, (_, i) => ropeTheta ** (-2 * i / d));
  if (ropeScaling === undefined) return plain;
  if (ropeScaling.type === "linear") return plain.map((f) => f / ropeScaling.factor);
  const factors = llama3Factors(ropeScaling, { ropeTheta, headDimension: d });
  return plain.map((frequency, i) => frequency / factors[i]);
}
