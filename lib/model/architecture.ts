/**
 * The forward pass of the Llama family: Llama, SmolLM2, Mistral, Qwen2 and Qwen3.
 *
 * Choices: RMSNorm before each block, rotary positions with paired halves, SwiGLU, grouped-query
 * attention, optional biases on q, k and v, optional norm of q and k, head tied or not. Parameters
 * keep the checkpoint's names and layout (weights [out, in]). Rows are padded on the right: a causal
 * position never sees what stands after it, so no padding mask is needed.
 */
import * as tf from "@tensorflow/tfjs";
import {
  applyRotary,
  attend,
  attendWithPrefix,
  checkpointed,
  gatherRows,
  lowRank,
  type PrefixKeys,
  rmsNorm,
  swiGlu,
} from "./layers.ts";
import { llama3Factors, type ModelConfiguration } from "./configuration.ts";

/** Tensors by the checkpoint's names. */
export type Parameters = ReadonlyMap<string, tf.Tensor>;

type Get = (name: string) => tf.Tensor;

/** What is computed again for the gradient instead of kept: nothing, the MLPs, or whole layers. */
export type GradientCheckpointing = "nothing" | "mlp" | "layer";

/** Low-rank matrices beside some linear layers, whose own weights are constants then. */
export interface AdapterTensors {
  /** By `adapterKey`. */
  parameters: Parameters;
  /** Factor on B A x. */
  scale: number;
}

/** PEFT's name of A [r, in] or B [out, r] beside a linear layer, e.g. of `model.layers.0.mlp.up_proj`. */
export function adapterKey(layer: string, matrix: "A" | "B"): string {
  return `base_model.model.${layer}.lora_${matrix}.weight`;
}

/** Rows that hold several texts one after another; no text sees another. */
export interface PackedRows {
  /** [B, T] (int32): a number for the text that each token belongs to, equal within a text. */
  texts: tf.Tensor2D;
  /** [B, T] (int32): the token's position in its text, the prefix counted. */
  positions: tf.Tensor2D;
}

/** Some places before every row. */
export interface PrefixBlock {
  /** By layer, as `onKeyValues` gave them. */
  layers: readonly PrefixKeys[];
  /** [P]: 0 where a place is taken, a large negative where it is free. */
  mask: tf.Tensor1D;
}

export interface ForwardOptions {
  /** Added to the linear layers that it has matrices for. Default: none. */
  adapter?: AdapterTensors;
  /** Factor on the embedding's rows. Default 1; the organisms are pretrained with sqrt(hidden size). */
  embeddingScale?: number;
  /** Default: nothing. */
  gradientCheckpointing?: GradientCheckpointing;
  /** Tokens before every row. Default: none. For inference. */
  prefix?: readonly PrefixBlock[];
  /** Position of the rows' first token (int32). Default: the prefix's length. */
  position?: tf.Scalar;
  /** Which texts the rows hold. Default: one each. */
  packed?: PackedRows;
  /** Told each layer's keys (rotated) and values [B, K, T, D]. */
  onKeyValues?: (keys: tf.Tensor4D, values: tf.Tensor4D) => void;
}

/** A large negative that stays finite in float32 sums. */
export const HIDDEN_FROM = -1e9;

/**
 * The shapes of all tensors of a checkpoint, in its order.
 * @returns [name, shape] pairs; weights are [out, in].
 */
export function parameterShapes(configuration: ModelConfiguration): [string, number[]][] {
  const { hiddenSize: d, intermediateSize: f, headDimension, vocabularySize } = configuration;
  const q = configuration.heads * headDimension;
  const kv = configuration.keyValueHeads * headDimension;
  const shapes: [string, number[]][] = [["model.embed_tokens.weight", [vocabularySize, d]]];
  for (let i = 0; i < configuration.layers; i++) {
    const layer = `model.layers.${i}`;
    shapes.push([`${layer}.input_layernorm.weight`, [d]]);
    for (const [name, size] of [["q", q], ["k", kv], ["v", kv]] as const) {
      shapes.push([`${layer}.self_attn.${name}_proj.weight`, [size, d]]);
      if (configuration.attentionBias) {
        shapes.push([`${layer}.self_attn.${name}_proj.bias`, [size]]);
      }
    }
    shapes.push([`${layer}.self_attn.o_proj.weight`, [d, q]]);
    if (configuration.attentionOutputBias) shapes.push([`${layer}.self_attn.o_proj.bias`, [d]]);
    if (configuration.queryKeyNorm) {
      shapes.push([`${layer}.self_attn.q_norm.weight`, [headDimension]]);
      shapes.push([`${layer}.self_attn.k_norm.weight`, [headDimension]]);
    }
    shapes.push([`${layer}.post_attention_layernorm.weight`, [d]]);
    shapes.push([`${layer}.mlp.gate_proj.weight`, [f, d]]);
    shapes.push([`${layer}.mlp.up_proj.weight`, [f, d]]);
    shapes.push([`${layer}.mlp.down_proj.weight`, [d, f]]);
  }
  shapes.push(["model.norm.weight", [d]]);
  if (!configuration.tieWordEmbeddings) shapes.push(["lm_head.weight", [vocabularySize, d]]);
  return shapes;
}

/** The output layer's weight [V, D]: the embedding's own where they are tied. */
export function headWeight(parameters: Parameters, configuration: ModelConfiguration) {
  const name = configuration.tieWordEmbeddings ? "model.embed_tokens.weight" : "lm_head.weight";
  return parameters.get(name) as tf.Tensor2D;
}

/**
 * Hidden states after the final norm: ids [B, T] (int32) -> [B T, D].
 * @throws where `parameters` lacks a tensor that the configuration asks for.
 */
export function forward(
  parameters: Parameters,
  configuration: ModelConfiguration,
  ids: tf.Tensor2D,
  {
    adapter,
    embeddingScale = 1,
    gradientCheckpointing = "nothing",
    prefix = [],
    position,
    packed,
    onKeyValues,
  }: ForwardOptions = {},
): tf.Tensor2D {
  const [batch, length] = ids.shape;
  const { heads, keyValueHeads, headDimension, normEpsilon } = configuration;
  const get: Get = (name) => {
    const tensor = parameters.get(name) ?? adapter?.parameters.get(name);
    if (tensor === undefined) {
      throw new Error(`Cannot run the model: expected a tensor ${name}; the checkpoint has none`);
    }
    return tensor;
  };
  const norm = (x: tf.Tensor2D, weight: tf.Tensor) =>
    rmsNorm(x, weight as tf.Tensor1D, normEpsilon);
  const linear = (x: tf.Tensor2D, name: string, get: Get): tf.Tensor2D => {
    let y: tf.Tensor2D = tf.matMul(x, get(`${name}.weight`) as tf.Tensor2D, false, true);
    if (parameters.has(`${name}.bias`)) y = tf.add(y, get(`${name}.bias`));
    const [a, b] = [adapterKey(name, "A"), adapterKey(name, "B")];
    if (!adapter?.parameters.has(a)) return y;
    return tf.add(y, lowRank(x, [get(a), get(b)] as [tf.Tensor2D, tf.Tensor2D], adapter.scale));
  };
  // Where rows are of one token the transposed tensor's numbers stand in the same order.
  const split = (x: tf.Tensor2D, count: number): tf.Tensor4D =>
    length === 1
      ? tf.reshape(x, [batch, count, 1, headDimension])
      : tf.transpose(tf.reshape(x, [batch, length, count, headDimension]), [0, 2, 1, 3]);

  const makeTables = () => {
    const before = prefix.reduce((sum, { mask }) => sum + mask.shape[0], 0);
    const rows = packed?.positions ??
      (position && tf.add(tf.range(0, length, 1, "int32"), position));
    const { cos, sin } = rows === undefined
      ? rotaryTables(configuration, length, before)
      : rotaryRows(configuration, before + length, rows);
    // The scores' scale rides on the queries' rotation.
    const scale = 1 / Math.sqrt(headDimension);
    const scaled: [tf.Tensor, tf.Tensor] = [tf.mul(cos, scale), tf.mul(sin, scale)];
    const masks = (window?: number) => {
      let mask: tf.Tensor = causalMask(length, window);
      if (packed !== undefined) mask = tf.add(mask, otherTexts(packed.texts));
      if (prefix.length === 0) return mask;
      const free = prefix.map(({ mask: free }) =>
        tf.broadcastTo(free, [...mask.shape.slice(0, -1), free.shape[0]])
      );
      return tf.concat([...free, mask], -1);
    };
    return {
      keys: [cos, sin] as [tf.Tensor, tf.Tensor],
      queries: scaled,
      causal: masks(),
      sliding: windowed === undefined ? undefined : masks(windowed),
    };
  };
  const windowed = (configuration.slidingWindow ?? Infinity) < length
    ? configuration.slidingWindow
    : undefined;
  // What is computed again needs them when those of the first time are gone.
  const shared = gradientCheckpointing === "layer" ? undefined : makeTables();
  const slides = new Set(configuration.slidingLayers);

  /** The names of a layer's tensors that can have gradients and that `part` holds. */
  const tensorsOf = (layer: string, part: RegExp) =>
    [...(adapter?.parameters ?? parameters).keys()]
      .filter((name) => name.includes(`${layer}.`) && part.test(name));
  /** Runs a block of a layer, its inner values kept or not. */
  const block = (
    x: tf.Tensor2D,
    names: string[],
    { run, again }: { run: (x: tf.Tensor2D, get: Get) => tf.Tensor2D; again: boolean },
  ): tf.Tensor2D =>
    again
      ? checkpointed<tf.Tensor2D>(
        (x, ...tensors) => run(x, (name) => tensors[names.indexOf(name)] ?? get(name)),
        [x, ...names.map(get)],
      )
      : run(x, get);

  let x = gatherRows(get("model.embed_tokens.weight") as tf.Tensor2D, tf.reshape(ids, [-1]));
  if (embeddingScale !== 1) x = tf.mul(x, embeddingScale);
  for (let i = 0; i < configuration.layers; i++) {
    const layer = `model.layers.${i}`;
    const attention = (x: tf.Tensor2D, get: Get): tf.Tensor2D => {
      const a = norm(x, get(`${layer}.input_layernorm.weight`)); // (B T, D)
      const projected = (name: "q" | "k", count: number): tf.Tensor4D => {
        const y = linear(a, `${layer}.self_attn.${name}_proj`, get);
        if (!configuration.queryKeyNorm) return split(y, count);
        const byHead = tf.reshape(y, [-1, headDimension]) as tf.Tensor2D;
        return split(norm(byHead, get(`${layer}.self_attn.${name}_norm.weight`)), count);
      };
      const { keys, queries, causal, sliding } = shared ?? makeTables();
      const q = applyRotary(projected("q", heads), ...queries) as tf.Tensor4D; // (B, H, T, D)
      const k = applyRotary(projected("k", keyValueHeads), ...keys) as tf.Tensor4D; // (B, K, T, D)
      const v = split(linear(a, `${layer}.self_attn.v_proj`, get), keyValueHeads);
      onKeyValues?.(k, v);
      const mixed = prefix.length === 0
        ? attend(q, k, v, sliding !== undefined && slides.has(i) ? sliding : causal)
        : attendWithPrefix(prefix.map(({ layers }) => layers[i]), [q, k, v], causal);
      const joined = tf.reshape(length === 1 ? mixed : tf.transpose(mixed, [0, 2, 1, 3]), [
        batch * length,
        heads * headDimension,
      ]) as tf.Tensor2D;
      return linear(joined, `${layer}.self_attn.o_proj`, get);
    };
    const mlp = (x: tf.Tensor2D, get: Get): tf.Tensor2D => {
      const m = norm(x, get(`${layer}.post_attention_layernorm.weight`));
      const gate = linear(m, `${layer}.mlp.gate_proj`, get);
      const up = linear(m, `${layer}.mlp.up_proj`, get);
      return linear(swiGlu(gate, up), `${layer}.mlp.down_proj`, get);
    };
    x = tf.add(
      x,
      block(x, tensorsOf(layer, /input_layernorm|self_attn/), {
        run: attention,
        again: gradientCheckpointing === "layer",
      }),
    );
    x = tf.add(
      x,
      block(x, tensorsOf(layer, /post_attention|mlp/), {
        run: mlp,
        again: gradientCheckpointing === "layer" || gradientCheckpointing === "mlp",
      }),
    );
  }
  return norm(x, get("model.norm.weight"));
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
